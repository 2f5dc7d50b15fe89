// Two nodes of the built package, used over REST and closed; what is left afterwards is printed at exit, which nobody forces.
import { startMiniMilvus } from '../../dist/index.js'

const nodes = await Promise.all([startMiniMilvus({ inMemory: true, port: 0 }), startMiniMilvus({ inMemory: true, port: 0, metricsPort: 0 })])
for (const { address } of nodes) {
  const post = async (path, body) => {
    const answer = await fetch(`http://${address}/v2/vectordb/${String(path)}`, { method: 'POST', headers: { connection: 'close' }, body: JSON.stringify(body) })
    const { code, message } = await answer.json()
    if (code !== 0) throw new Error(message)
  }
  await post('collections/create', { collectionName: 'c', dimension: 2 })
  await post('entities/insert', { collectionName: 'c', data: [{ id: 1, vector: [1, 2] }] })
  await post('entities/search', { collectionName: 'c', data: [[1, 2]], limit: 1 })
}
await Promise.all(nodes.map((node) => node.close()))
const closedAtMs = performance.now()
// Pipes are the process's own output; sockets of fetch end by themselves.
const ours = new Set(['TCPSERVERWRAP', 'MessagePort', 'Worker', 'FSEventWrap', 'Timeout'])
const handles = process.getActiveResourcesInfo().filter((name) => ours.has(name))
process.on('exit', () => process.stdout.write(JSON.stringify({ closedAtMs, exitedAtMs: performance.now(), handles })))
