/** The file queue beside servers that keep a log on disk: the same messages, each acknowledged when it is synced. */
import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { inFlight, load, loadName, Skip } from '../measure.mjs'
import { openNats } from './nats.mjs'

const BODY = Buffer.alloc(1024, 7)
const WIDTH = 64
const TOTAL = 4000

async function serve(name, options) {
  const { startService } = await import('@timetick/tools/services')
  try {
    return await startService(name, { isBench: true, ...options })
  } catch (error) {
    throw new Skip(`there is no ${name} here (${error.message.split('\n')[0]})`)
  }
}

async function openOurs() {
  const openFileMq = await loadName('@timetick/msgstream/file', 'openFileMq')
  const dir = mkdtempSync(path.join(os.tmpdir(), 'timetick-bench-'))
  const mq = await openFileMq({ path: dir })
  const producer = await mq.openProducer('bench')
  return {
    send: () => producer.send([BODY]),
    async close() {
      await mq.close()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

const peers = {
  async jetstream() {
    const server = await serve('nats', { version: '2.15.2', syncInterval: 'always' })
    const nats = await openNats(server.url)
    await nats.request('$JS.API.STREAM.CREATE.bench', Buffer.from(JSON.stringify({ name: 'bench', subjects: ['log'], storage: 'file', retention: 'limits', max_msgs: -1, max_bytes: -1 })))
    return { send: () => nats.request('log', BODY), close: async () => (nats.close(), await server.stop()) }
  },
  async 'redis-aof'() {
    const { Redis } = await load('ioredis')
    const server = await serve('redis', { appendonly: 'always' })
    const redis = new Redis(server.url)
    return { send: () => redis.xadd('bench', '*', 'p', BODY), close: async () => (redis.disconnect(), await server.stop()) }
  },
}

const rate = async (send) => (await inFlight(send, { total: TOTAL, width: WIDTH })).perSecond

export const peerRows = Object.entries({ jetstream: 'NATS JetStream on files, sync_interval always', 'redis-aof': 'Redis Streams, appendfsync always' }).map(([name, reference]) => ({
  id: `msg.file.vs-${name}`, work: '1 KB durable, 64 awaiting each', unit: '/s', reference, goal: { op: '>', value: 1, of: 'ratio', moonshot: 2 },
  async open() {
    const peer = await peers[name]()
    try {
      return { peer, ours: await openOurs() }
    } catch (error) {
      await peer.close()
      throw error
    }
  },
  measure: ({ ours }) => rate(ours.send),
  measureReference: ({ peer }) => rate(peer.send),
  async close(context) {
    await context?.ours.close()
    await context?.peer.close()
  },
}))
