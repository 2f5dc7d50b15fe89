// @ts-check
/**
 * Readings of 30 sensors go to three channels by the hash of their sensor. One worker per channel adds them up by minute; what a worker
 * has is whole as soon as its channel's time has passed the minute. A last reader takes all channels together, aligned, and must find the same sums.
 *
 *     node main.mjs
 *     node main.mjs --backend=redis --url=redis://127.0.0.1:6379
 *     node main.mjs --backend=kafka --url=127.0.0.1:9092
 */
import assert from 'node:assert/strict'
import { parseArgs } from 'node:util'
import { createTimeTick, createTsMsg, END_OF_STREAM, openMsgStream, openTtMsgStream } from '@timetick/msgstream'
import { composeTimestamp, parseTimestamp } from '@timetick/tso'
import { openBackend } from './backends.mjs'

const { values } = parseArgs({ options: { backend: { type: 'string', default: 'memory' }, url: { type: 'string' } } })
const backend = await openBackend(values.backend, values.url, `partitions-${process.pid}-`)
const { mq } = backend

const channels = ['readings-0', 'readings-1', 'readings-2']
const begin = Date.UTC(2026, 0, 1)
const minutes = 5
const sensors = 30

/** FNV-1a: any hash does that all writers share. @param {string} text */
const hashOf = (text) => Buffer.from(text).reduce((hash, byte) => Math.imul(hash ^ byte, 0x01000193) >>> 0, 0x811c9dc5)

/** A reading per sensor and second; behind each minute the tick that says so to every channel. */
async function write() {
  const stream = await openMsgStream({ mq })
  await stream.asProducer(channels)
  for (let second = 0; second < minutes * 60; second += 10) {
    const ts = composeTimestamp(begin + second * 1000, 0)
    const msgs = Array.from({ length: sensors }, (_, i) => createTsMsg({ type: 400, ts, hashKeys: [hashOf(`sensor-${i}`)], properties: { sensor: `sensor-${i}` }, body: Buffer.from(String(i + second)) }))
    // Not one message knows its channel: the default rule takes the hash key's remainder.
    await stream.produce({ msgs })
    if ((second + 10) % 60 === 0) await stream.broadcast({ msgs: [createTimeTick(composeTimestamp(begin + (second + 10) * 1000 - 1, 0))] })
  }
  await stream.broadcast({ msgs: [createTimeTick(END_OF_STREAM)] })
  await stream.close()
}

/** Sums by minute and sensor of everything in these channels. @param {readonly string[]} names */
async function sum(names) {
  const stream = await openTtMsgStream({ mq })
  await stream.asConsumer(names, { from: 'earliest' })
  /** @type {Map<string, number>} */
  const sums = new Map()
  for await (const { msgs, beginTs, endTs } of stream) {
    for (const { endTs: ts, properties, body } of msgs) {
      assert(ts > beginTs && ts <= endTs, 'a pack holds what lies in its step of time')
      const key = `${Math.floor((parseTimestamp(ts).physicalMs - begin) / 60_000)} ${properties['sensor']}`
      sums.set(key, (sums.get(key) ?? 0) + Number(Buffer.from(body).toString()))
    }
  }
  const { packs, messages } = stream.metrics()
  console.log(`  ${names.length === 1 ? names[0] : 'all together'}: ${messages} readings in ${packs} packs`)
  await stream.close()
  return sums
}

try {
  await Promise.all(channels.map((channel) => mq.createChannel(channel)))
  console.log(`backend ${mq.features.backend}`)
  const [parts] = await Promise.all([Promise.all(channels.map((channel) => sum([channel]))), write()])
  const whole = await sum(channels)
  const sensorsOf = parts.map((part) => new Set([...part.keys()].map((key) => key.split(' ')[1])))
  assert.equal(sensorsOf.reduce((all, { size }) => all + size, 0), sensors, 'a sensor is in one channel only')
  assert(sensorsOf.every(({ size }) => size > 0), 'every channel has some')
  assert.deepEqual(new Map(parts.flatMap((part) => [...part])), whole)
  assert.equal(whole.size, minutes * sensors)
  console.log(`ok: ${whole.size} sums, the same from three workers as from one reader`)
  for (const channel of channels) await mq.deleteChannel(channel)
} finally {
  await backend.end()
}
