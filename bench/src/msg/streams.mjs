/** Streams that have much to catch up, and streams that have nothing to do. */
import { setTimeout as sleep } from 'node:timers/promises'
import { load, loadName, timeOf } from '../measure.mjs'

const CHANNELS = 50
const TICKS_PER_SECOND = 10_000
const WAITING = 200_000

export const streamRows = [
  {
    id: 'msg.idle', work: '10,000 ticks/s on 50 channels of one stream, nothing else', unit: '% of a core', goal: { op: '<', value: 10 },
    async open() {
      const { createTimeTick, encodeEnvelope, openTtMsgStream } = await load('@timetick/msgstream')
      const mq = (await loadName('@timetick/msgstream/memory', 'createMemoryMq'))()
      const channels = Array.from({ length: CHANNELS }, (_, i) => `c${i}`)
      const producers = await Promise.all(channels.map((channel) => mq.openProducer(channel)))
      const stream = await openTtMsgStream({ mq })
      await stream.asConsumer(channels, { from: 'earliest' })
      return { mq, producers, stream, tick: (ts) => encodeEnvelope(createTimeTick(ts)), ts: 0n }
    },
    async measure(context) {
      const rounds = TICKS_PER_SECOND / CHANNELS
      const before = process.cpuUsage()
      const begin = performance.now()
      for (let i = 0; i < rounds; i += 1) {
        const frame = context.tick((context.ts += 1n))
        for (const producer of context.producers) producer.sendTransient(frame)
        if ((await context.stream.consume()).endTs !== context.ts) throw new Error('another pack')
        const due = begin + ((i + 1) * 1000) / rounds
        if (due > performance.now()) await sleep(due - performance.now())
      }
      const { user, system } = process.cpuUsage(before)
      return (user + system) / 10 / (performance.now() - begin)
    },
    async close(context) {
      await context?.stream.close()
      await context?.mq.close()
    },
  },
  {
    id: 'msg.catchup', work: `${WAITING} waiting messages of 1 KB with a tick per 1,000, aligned with a fresh channel`, unit: '/s',
    async open() {
      const { createTimeTick, createTsMsg, encodeEnvelope, encodeEnvelopes, openTtMsgStream } = await load('@timetick/msgstream')
      const mq = (await loadName('@timetick/msgstream/memory', 'createMemoryMq'))({ maxBytesPerChannel: 1 << 30 })
      const [behind, fresh] = [await mq.openProducer('behind'), await mq.openProducer('fresh')]
      const body = new Uint8Array(1024)
      let ts = 0n
      for (let sent = 0; sent < WAITING; sent += 1000) {
        ts += 1n
        await behind.send(encodeEnvelopes(Array.from({ length: 1000 }, () => createTsMsg({ type: 400, ts, body }))))
        await behind.send([encodeEnvelope(createTimeTick(ts))])
      }
      await fresh.send([encodeEnvelope(createTimeTick(ts))])
      return { mq, openTtMsgStream, end: ts }
    },
    async measure({ mq, openTtMsgStream, end }) {
      const stream = await openTtMsgStream({ mq, maxBufferedBytes: 8 << 20 })
      await stream.asConsumer(['behind', 'fresh'], { from: 'earliest' })
      let count = 0
      const ms = await timeOf(async () => {
        while (stream.frontier < end) count += (await stream.consume()).msgs.length
      })
      await stream.close()
      if (count !== WAITING) throw new Error(`${count} messages of ${WAITING}`)
      return (count * 1000) / ms
    },
    close: (context) => context?.mq.close(),
  },
]
