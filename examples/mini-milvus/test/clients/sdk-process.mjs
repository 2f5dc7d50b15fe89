// A client in a process of its own: commands come as messages, answers go back. Killed, it is killed.
import { MilvusClient } from '@zilliz/milvus2-sdk-node'

const clients = new Map()

const commands = {
  async connect({ name, config }) {
    const client = new MilvusClient({ logLevel: 'error', ...config })
    await client.connectPromise
    clients.set(name, client)
  },
  call: ({ name, method, args }) => clients.get(name)[method](...args),
  async close({ name }) {
    await clients.get(name).closeConnection()
    clients.delete(name)
  },
}

process.on('message', async ({ id, command, ...rest }) => {
  try {
    process.send({ id, result: (await commands[command](rest)) ?? null })
  } catch (error) {
    process.send({ id, error: String(error?.message ?? error) })
  }
})
process.send({ ready: true })
