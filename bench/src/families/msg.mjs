/** Messages: envelopes, the durable queue in files, alignment. */
import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { peerRows } from '../msg/peers.mjs'
import { streamRows } from '../msg/streams.mjs'
import { inFlight, load, loadName, percentile, rateOf, Skip, timeOf } from '../measure.mjs'

const BODY = new Uint8Array(1024).fill(7)
const GROUP = 100

async function envelopeContext() {
  const { createTsMsg, encodeEnvelopes, decodeEnvelope, MsgType } = await load('@timetick/msgstream')
  const msgs = Array.from({ length: GROUP }, (_, i) => createTsMsg({ type: MsgType.insert ?? 400, ts: BigInt(i + 1), id: BigInt(i), hashKeys: [i], body: BODY }))
  return { msgs, encodeEnvelopes, decodeEnvelope }
}

/** What one would lay by hand: the same fields in a fixed header and the body, in one allocation for the group. */
function handLaid(msgs) {
  const header = 48
  const target = new Uint8Array(msgs.length * (header + BODY.length))
  const view = new DataView(target.buffer)
  let at = 0
  const frames = []
  for (const msg of msgs) {
    view.setUint32(at, 0x54544d31, true)
    view.setUint32(at + 4, msg.type, true)
    view.setBigUint64(at + 8, msg.beginTs, true)
    view.setBigUint64(at + 16, msg.endTs, true)
    view.setBigUint64(at + 24, msg.id, true)
    view.setUint32(at + 32, msg.hashKeys[0], true)
    view.setUint32(at + 36, msg.body.length, true)
    target.set(msg.body, at + header)
    frames.push(target.subarray(at, at + header + msg.body.length))
    at += header + msg.body.length
  }
  let sum = 0n
  for (const frame of frames) {
    const read = new DataView(frame.buffer, frame.byteOffset, frame.length)
    if (read.getUint32(0, true) !== 0x54544d31) throw new Error('corrupt')
    sum += read.getBigUint64(16, true)
    const body = frame.subarray(header, header + read.getUint32(36, true))
    if (body.length !== BODY.length) throw new Error('corrupt')
  }
  return sum
}

async function fileContext() {
  const openFileMq = await loadName('@timetick/msgstream/file', 'openFileMq')
  const dir = mkdtempSync(path.join(os.tmpdir(), 'timetick-bench-'))
  const mq = await openFileMq({ path: dir })
  await mq.createChannel('bench')
  return { dir, mq, producer: await mq.openProducer('bench') }
}
async function closeFile(context) {
  await context?.mq.close()
  if (context !== undefined) rmSync(context.dir, { recursive: true, force: true })
}
const group = Array.from({ length: GROUP }, () => BODY)

const CHANNELS = 16
const PACK = 256
const ALIGN_ROUNDS = 200

/** The server in the environment, or one of our own; a skip without. */
async function serverOf(name, variable) {
  if (process.env[variable] !== undefined) return { url: process.env[variable], stop: async () => {} }
  const { startService } = await import('@timetick/tools/services')
  try {
    const service = await startService(name)
    return { url: service.env[variable], stop: () => service.stop() }
  } catch (error) {
    throw new Skip(`no ${name}: ${error.message}`)
  }
}

/** A pack as its messages: what a reader of the raw client needs too. */
function cut(pack) {
  const frames = []
  for (let at = 0; at < pack.length; at += BODY.length) frames.push(pack.subarray(at, at + BODY.length))
  if (frames.length !== GROUP) throw new Error(`${frames.length} messages in a pack`)
  return frames
}

/** Sends of a raw client: a pack is one entry, as ours; `read` reads all of them. */
const brokers = {
  redis: {
    variable: 'TIMETICK_REDIS_URL', work: 'packs of 100 of 1 KB', goal: { op: '>=', value: 0.95, of: 'ratio', moonshot: 1 }, packs: 1600, width: 16,
    openOurs: async (url, prefix) => (await loadName('@timetick/msgstream/redis', 'openRedisMq'))({ url, prefix }),
    async openRaw(url, name) {
      const { Redis } = await load('ioredis')
      const redis = new Redis(url)
      return {
        send: () => redis.xadd(name, '*', 'p', Buffer.concat(group)),
        async read(packs) {
          let last = '-'
          for (let count = 0; count < packs;) {
            const entries = await redis.xrangeBuffer(name, last, '+', 'COUNT', 10)
            count += entries.length
            for (const [, [, pack]] of entries) cut(pack)
            last = `(${entries.at(-1)[0]}`
          }
        },
        close: async () => {
          await redis.del(name)
          redis.disconnect()
        },
      }
    },
  },
  kafka: {
    variable: 'TIMETICK_KAFKA_URL', work: 'packs of 100 of 1 KB', goal: { op: '>=', value: 0.95, of: 'ratio', moonshot: 1 }, packs: 300, width: 16,
    openOurs: async (url, prefix) => (await loadName('@timetick/msgstream/kafka', 'openKafkaMq'))({ brokers: [url], prefix }),
    async openRaw(url, topic) {
      const { Kafka, logLevel } = (await load('kafkajs')).default
      const kafka = new Kafka({ brokers: [url], logLevel: logLevel.NOTHING })
      const admin = kafka.admin()
      await admin.connect()
      await admin.createTopics({ topics: [{ topic, numPartitions: 1 }], waitForLeaders: true })
      const producer = kafka.producer({ createPartitioner: () => () => 0 })
      await producer.connect()
      return {
        send: () => producer.send({ topic, acks: -1, messages: group.map((body) => ({ value: Buffer.from(body), partition: 0 })) }),
        async read(packs) {
          const consumer = kafka.consumer({ groupId: `${topic}-${process.hrtime.bigint()}`, maxWaitTimeInMs: 100, maxBytesPerPartition: 4 << 20 })
          await consumer.connect()
          await consumer.subscribe({ topics: [topic], fromBeginning: true })
          let count = 0
          await new Promise((resolve, reject) => {
            consumer.run({
              autoCommit: false,
              eachBatch: async ({ batch }) => {
                count += batch.messages.length
                if (count >= packs * GROUP) resolve()
              },
            }).catch(reject)
          })
          await consumer.disconnect()
        },
        close: async () => {
          await producer.disconnect()
          await admin.deleteTopics({ topics: [topic] })
          await admin.disconnect()
        },
      }
    },
  },
  'kafka.platformatic': {
    service: 'kafka', variable: 'TIMETICK_KAFKA_URL', work: 'packs of 100 of 1 KB, @platformatic/kafka', goal: { op: '>=', value: 0.95, of: 'ratio', moonshot: 1 }, packs: 300, width: 16,
    openOurs: async (url, prefix) => (await loadName('@timetick/msgstream/kafka', 'openKafkaMq'))({ brokers: [url], prefix, driver: '@platformatic/kafka' }),
    async openRaw(url, topic) {
      const { Admin, Consumer, Producer } = await load('@platformatic/kafka')
      const options = { clientId: 'bench', bootstrapBrokers: [url] }
      const admin = new Admin(options)
      await admin.createTopics({ topics: [topic], partitions: 1, replicas: 1 })
      const producer = new Producer(options)
      return {
        send: () => producer.send({ acks: -1, messages: group.map((body) => ({ topic, partition: 0, value: Buffer.from(body) })) }),
        async read(packs) {
          const consumer = new Consumer({ ...options, groupId: `${topic}-${process.hrtime.bigint()}` })
          const stream = await consumer.consume({ topics: [topic], mode: 'earliest', autocommit: false, maxWaitTime: 100, maxBytes: 4 << 20 })
          let count = 0
          for await (const message of stream) {
            count += message.value.length === BODY.length ? 1 : 0
            if (count === packs * GROUP) break
          }
          await consumer.close(true)
        },
        close: async () => {
          await producer.close(true)
          await admin.deleteTopics({ topics: [topic] })
          await admin.close()
        },
      }
    },
  },
  pulsar: {
    variable: 'TIMETICK_PULSAR_WEB_URL', work: 'packs of 100 of 1 KB', goal: { op: '>=', value: 0.95, of: 'ratio', moonshot: 1 }, packs: 100, width: 16,
    openOurs: async (url, prefix) => (await loadName('@timetick/msgstream/pulsar', 'openPulsarMq'))({ url, prefix }),
    async openRaw(url, topic) {
      const { WebSocket } = await load('ws')
      const at = `${url.replace('http', 'ws')}/ws/v2`
      const open = (address) => new Promise((resolve, reject) => {
        const socket = new WebSocket(address, { perMessageDeflate: false })
        socket.once('open', () => resolve(socket)).once('error', reject)
      })
      const producer = await open(`${at}/producer/persistent/public/default/${topic}?batchingEnabled=false`)
      const waiting = []
      producer.on('message', (text) => waiting.shift()(JSON.parse(text).messageId))
      return {
        send: () => new Promise((resolve) => {
          waiting.push(resolve)
          producer.send(JSON.stringify({ payload: Buffer.concat(group).toString('base64') }))
        }),
        read: (packs) => new Promise((resolve, reject) => {
          const reader = new WebSocket(`${at}/reader/persistent/public/default/${topic}?messageId=earliest&receiverQueueSize=32`, { perMessageDeflate: false })
          let count = 0
          reader.on('error', reject).on('close', resolve).on('message', (text) => {
            const { messageId, payload } = JSON.parse(text)
            reader.send(JSON.stringify({ messageId }))
            cut(Buffer.from(payload, 'base64'))
            count += 1
            if (count === packs) reader.close()
          })
        }),
        close: async () => producer.close(),
      }
    },
  },
}

let serial = 0

async function openBroker(kind) {
  const broker = brokers[kind]
  const server = await serverOf(broker.service ?? kind, broker.variable)
  const name = `bench${process.pid}x${(serial += 1)}`
  try {
    const mq = await broker.openOurs(server.url, `${name}-`)
    return { ...broker, server, mq, producer: await mq.openProducer('c'), raw: await broker.openRaw(server.url, `${name}-raw`) }
  } catch (error) {
    await server.stop()
    throw error
  }
}

async function closeBroker(context) {
  if (context === undefined) return
  await context.raw.close()
  await context.mq.deleteChannel('c')
  await context.mq.close()
  await context.server.stop()
}

const sendPacks = async (send, { packs, width }) => (await inFlight(send, { total: packs, width })).perSecond * GROUP

async function readPacks({ mq, packs }) {
  const reader = await mq.openReader('c', { at: 'earliest' })
  const ms = await timeOf(async () => {
    for (let count = 0; count < packs * GROUP;) count += (await reader.read({ maxMessages: 10_000, maxBytes: 4 << 20 })).frames.length
  })
  await reader.close()
  return (packs * GROUP * 1000) / ms
}

const brokerRows = Object.entries(brokers).flatMap(([kind, { work, goal }]) => [
  {
    id: `msg.${kind}.produce`, work: `${work}, 16 in flight`, unit: '/s', reference: 'the raw client', goal,
    open: () => openBroker(kind), close: closeBroker,
    measure: (context) => sendPacks(() => context.producer.send(group), context),
    measureReference: (context) => sendPacks(context.raw.send, context),
  },
  {
    id: `msg.${kind}.consume`, work: `${work}, from the earliest`, unit: '/s', reference: 'the raw client', goal,
    async open() {
      const context = await openBroker(kind)
      await sendPacks(() => context.producer.send(group), context)
      await sendPacks(context.raw.send, context)
      return context
    },
    close: closeBroker,
    measure: readPacks,
    measureReference: async (context) => (context.packs * GROUP * 1000) / (await timeOf(() => context.raw.read(context.packs))),
  },
])

const alignId = { backend: 'bench', bytes: new Uint8Array(8) }

/** Stamps the messages anew, and gives the ms that they took through the aligner. */
function alignOnce({ aligner, steps }, ts = aligner.frontier) {
  for (const [r, step] of steps.entries()) for (const [i, msg] of step.entries()) msg.setTs(ts + BigInt(r * 1000 + 1 + Math.floor(i / CHANNELS)))
  let seen = 0
  const begin = performance.now()
  for (let r = 0; r < ALIGN_ROUNDS; r += 1) {
    for (let c = 0; c < CHANNELS; c += 1) {
      for (let i = c; i < PACK; i += CHANNELS) aligner.pushData(c, alignId, 1024, steps[r][i])
      aligner.pushTick(c, alignId, ts + BigInt(r * 1000 + 999))
    }
    seen += aligner.take().msgs.length
  }
  const ms = performance.now() - begin
  if (seen !== ALIGN_ROUNDS * PACK) throw new Error(`${seen} messages came out of ${ALIGN_ROUNDS * PACK}`)
  return ms
}

export const rows = [
  {
    id: 'msg.envelope', work: 'encode and decode, 1 KB, in groups of 100', unit: '/s', reference: 'hand-laid buffer', goal: { op: '>=', value: 4e6, of: 'value', moonshot: 5e6 },
    open: envelopeContext,
    measure: ({ msgs, encodeEnvelopes, decodeEnvelope }) => rateOf(() => {
      let sum = 0n
      for (const frame of encodeEnvelopes(msgs)) {
        const msg = decodeEnvelope(frame)
        sum += msg.endTs
        if (msg.body.length !== BODY.length) throw new Error('corrupt')
      }
      return sum
    }, { units: GROUP }),
    measureReference: ({ msgs }) => rateOf(() => handLaid(msgs), { units: GROUP }),
  },
  {
    id: 'msg.file.batch100', work: '1 KB durable in groups of 100, 4 groups in flight', unit: '/s', goal: { op: '>=', value: 250_000, moonshot: 400_000 },
    open: fileContext, close: closeFile,
    measure: async ({ producer }) => (await inFlight(() => producer.send(group), { total: 400, width: 4 })).perSecond * GROUP,
  },
  {
    id: 'msg.file.each64', work: '1 KB durable, 64 producers awaiting each', unit: '/s', goal: { op: '>=', value: 40_000, moonshot: 80_000 },
    open: fileContext, close: closeFile,
    measure: async ({ producer }) => (await inFlight(() => producer.send([BODY]), { total: 8000, width: 64 })).perSecond,
  },
  {
    id: 'msg.file.tail', work: 'a reader of 100,000 stored messages of 1 KB', unit: '/s', goal: { op: '>=', value: 500_000, moonshot: 1e6 },
    async open() {
      const context = await fileContext()
      for (let i = 0; i < 1000; i += 1) await context.producer.send(group)
      return context
    },
    async measure({ mq }) {
      const reader = await mq.openReader('bench', { at: 'earliest' })
      let count = 0
      const ms = await timeOf(async () => {
        while (count < 100_000) count += (await reader.read({ maxMessages: 1000 })).frames.length
      })
      await reader.close()
      return (count * 1000) / ms
    },
    close: closeFile,
  },
  {
    id: 'msg.align', work: '16 channels, packs of 256', unit: '/s', goal: { op: '>=', value: 5e6, moonshot: 15e6 },
    async open() {
      const { Aligner, createTsMsg } = await load('@timetick/msgstream')
      const positions = Array.from({ length: CHANNELS }, (_, i) => ({ channel: `c${i}`, msgId: undefined, timestamp: 0n }))
      const aligner = new Aligner({ positions, from: 'earliest', align: 'frontier', late: 'fail', skipEmpty: false, maxMessages: 65_536, maxBytes: 1 << 30 })
      // Made once: else what is measured is the collector at work on the messages of this row.
      const steps = Array.from({ length: ALIGN_ROUNDS }, () => Array.from({ length: PACK }, () => createTsMsg({ type: 400, ts: 1n, id: 0n, body: BODY })))
      return { aligner, steps }
    },
    measure(context) {
      const rounds = 5
      let ms = 0
      for (let i = 0; i < rounds; i += 1) ms += alignOnce(context)
      return (rounds * ALIGN_ROUNDS * PACK * 1000) / ms
    },
  },
  {
    id: 'msg.align.lag', work: 'tick in to pack out, memory, p99 of 2000', unit: 'ms', goal: { op: '<=', value: 1, moonshot: 0.2 },
    async open() {
      const { createTimeTick, encodeEnvelope, openTtMsgStream } = await load('@timetick/msgstream')
      const mq = (await loadName('@timetick/msgstream/memory', 'createMemoryMq'))()
      const producer = await mq.openProducer('c')
      const stream = await openTtMsgStream({ mq })
      await stream.asConsumer(['c'], { from: 'earliest' })
      return { mq, producer, stream, tick: (ts) => encodeEnvelope(createTimeTick(ts)), ts: 0n }
    },
    async measure(context) {
      const times = []
      for (let i = 0; i < 2000; i += 1) {
        const frame = context.tick((context.ts += 1n))
        const pack = context.stream.consume()
        await new Promise(setImmediate)
        const begin = performance.now()
        await context.producer.send([frame])
        if ((await pack).endTs !== context.ts) throw new Error('another pack')
        times.push(performance.now() - begin)
      }
      return percentile(times, 0.99)
    },
    async close(context) {
      await context?.stream.close()
      await context?.mq.close()
    },
  },
  ...peerRows,
  ...streamRows,
  ...brokerRows,
]
