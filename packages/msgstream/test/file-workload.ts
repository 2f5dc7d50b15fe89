/** What the tests of the file queue share: a queue on a faulty disk, a random workload, and what must hold after it. */
import { expect } from 'vitest'
import { openFileMq, type FileMq } from '../src/file.ts'
import { type FaultyFs } from './faulty-fs.ts'
import { ManualClock } from './helpers.ts'

export const lock = async () => ({ release: async () => {} })
export const open = (fs: FaultyFs): Promise<FileMq> => openFileMq({ path: '/data', fs, lock, segmentBytes: 2048, tailCacheBytes: 1024, clock: new ManualClock() })

export const word = (channel: string, n: number): string => `${channel}${n}:${'x'.repeat((n * 37) % 700)}`

export async function contents(mq: FileMq, channel: string): Promise<{ first: number; frames: string[] }> {
  const { first, last } = await mq.bounds(channel)
  if (first === undefined || last === undefined) return { first: 0, frames: [] }
  const reader = await mq.openReader(channel, { at: 'earliest' })
  const frames: string[] = []
  for (;;) {
    const batch = await reader.read()
    if (batch === undefined) throw new Error('the reader ended')
    frames.push(...batch.frames.map((frame) => Buffer.from(frame).toString()))
    if (Buffer.compare((batch.ids.at(-1) as { bytes: Uint8Array }).bytes, last.bytes) === 0) break
  }
  await reader.close()
  return { first: Number(Buffer.from(first.bytes).readBigUInt64BE()), frames }
}

/** Random sends on two channels, some awaited, some cut short; loses power at one operation. */
export async function workload(fs: FaultyFs, random: () => number, crashAt: number, kill = false) {
  const acked = { a: 0, b: 0 }
  const truncated = { a: 0, b: 0 }
  let image: FaultyFs | undefined
  let atCrash = { acked: { ...acked }, truncated: { ...truncated } }
  fs.onOperation = (count) => {
    if (count !== crashAt || image !== undefined) return
    atCrash = { acked: { ...acked }, truncated: { ...truncated } }
    image = kill ? fs.killed() : fs.powerLoss(random)
  }
  const mq = await open(fs)
  const producers = { a: await mq.openProducer('a'), b: await mq.openProducer('b') }
  const sent = { a: 0, b: 0 }
  const pending: Promise<void>[] = []
  for (let i = 0; i < 30 && image === undefined; i++) {
    const channel = random() < 0.6 ? 'a' : 'b'
    const count = 1 + Math.floor(random() * 4)
    const frames = Array.from({ length: count }, (_, k) => Buffer.from(word(channel, sent[channel] + k)))
    sent[channel] += count
    const end = sent[channel]
    pending.push(producers[channel].send(frames).then(() => void (acked[channel] = Math.max(acked[channel], end))))
    if (random() < 0.5) await Promise.all(pending)
    if (random() < 0.1 && acked[channel] > 3) {
      const before = Math.floor(acked[channel] / 2)
      truncated[channel] = Math.max(truncated[channel], before)
      const bytes = Buffer.alloc(8)
      bytes.writeBigUInt64BE(BigInt(before))
      await mq.truncate(channel, { backend: 'file', bytes })
    }
  }
  await Promise.all(pending)
  await mq.close()
  if (image === undefined) atCrash = { acked: { ...acked }, truncated: { ...truncated } }
  return { image: image ?? fs.powerLoss(random), ...atCrash, truncatedLater: truncated }
}

export async function check(image: FaultyFs, acked: { a: number; b: number }, truncated: { a: number; b: number }, seed: number): Promise<void> {
  const mq = await open(image)
  for (const channel of ['a', 'b'] as const) {
    if (!(await mq.listChannels()).includes(channel)) {
      expect(acked[channel], `seed ${seed}: channel ${channel} is there`).toBe(0)
      continue
    }
    const { first, frames } = await contents(mq, channel)
    expect(first, `seed ${seed}: nothing more was truncated than asked`).toBeLessThanOrEqual(truncated[channel])
    expect(first + frames.length, `seed ${seed}: acknowledged frames of ${channel}`).toBeGreaterThanOrEqual(acked[channel])
    expect(frames, `seed ${seed}: order of ${channel}`).toEqual(frames.map((_, i) => word(channel, first + i)))
    await (await mq.openProducer(channel)).send([Buffer.from(word(channel, first + frames.length))])
    expect((await contents(mq, channel)).frames.length).toBe(frames.length + 1)
  }
  await mq.close()
}
