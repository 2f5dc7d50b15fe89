/** Messages: envelopes, the durable queue in files, alignment. */
import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { inFlight, load, loadName, rateOf, timeOf } from '../measure.mjs'

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
      return { aligner, createTsMsg, ts: 1n }
    },
    measure(context) {
      const { aligner, createTsMsg } = context
      const rounds = 200
      const perChannel = PACK / CHANNELS
      const id = { backend: 'bench', bytes: new Uint8Array(8) }
      const steps = Array.from({ length: rounds }, (_, r) => Array.from({ length: PACK }, (_, i) => createTsMsg({ type: 400, ts: context.ts + BigInt(r * 1000 + Math.floor(i / CHANNELS)), id: 0n, body: BODY })))
      let seen = 0
      const begin = performance.now()
      for (let r = 0; r < rounds; r += 1) {
        for (let c = 0; c < CHANNELS; c += 1) {
          for (let m = 0; m < perChannel; m += 1) aligner.pushData(c, id, 1024, steps[r][m * CHANNELS + c])
          aligner.pushTick(c, id, context.ts + BigInt(r * 1000 + 999))
        }
        const pack = aligner.take()
        seen += pack.msgs.length
      }
      const ms = performance.now() - begin
      context.ts += BigInt(rounds * 1000)
      if (seen !== rounds * PACK) throw new Error(`${seen} messages came out of ${rounds * PACK}`)
      return (seen * 1000) / ms
    },
  },
]
