/** All that a power cut may leave, and a writer that another one took over. */
import { describe, expect, it } from 'vitest'
import { openFileMq, type FileMq } from '../src/file.ts'
import { isMsgStreamError, type MqProducer } from '../src/index.ts'
import { FaultyFs, seeded } from './faulty-fs.ts'
import { ManualClock } from './helpers.ts'
import { inRing } from './ring.ts'

const lock = async () => ({ release: async () => {} })
const open = (fs: FaultyFs): Promise<FileMq> => openFileMq({ path: '/data', fs, lock, segmentBytes: 1024, tailCacheBytes: 512, clock: new ManualClock() })

const word = (n: number): string => `${n}:${'x'.repeat((n * 37) % 500)}`

interface Promised {
  /** Frames below this were acknowledged. */
  acked: number
  /** Frames below this may be gone. */
  truncated: number
  sent: number
  deletion: 'none' | 'begun' | 'done'
}

async function read(mq: FileMq): Promise<{ first: number; frames: string[] } | undefined> {
  if (!(await mq.listChannels()).includes('a')) return undefined
  const { first, last } = await mq.bounds('a')
  const frames: string[] = []
  if (first === undefined || last === undefined) return { first: 0, frames }
  const offset = (bytes: Uint8Array): number => Number(Buffer.from(bytes).readBigUInt64BE())
  const reader = await mq.openReader('a', { at: 'earliest' })
  while (frames.length <= offset(last.bytes) - offset(first.bytes)) frames.push(...((await reader.read())?.frames ?? []).map((frame) => Buffer.from(frame).toString()))
  await reader.close()
  return { first: offset(first.bytes), frames }
}

async function check(image: FaultyFs, promised: Promised, where: string): Promise<void> {
  const mq = await open(image)
  const found = await read(mq)
  if (found === undefined) {
    expect(promised.acked === 0 || promised.deletion !== 'none', `${where}: the channel is there`).toBe(true)
  } else {
    expect(promised.deletion, `${where}: a deleted channel is gone`).not.toBe('done')
    if (promised.deletion === 'none') {
      expect(found.first, `${where}: kept`).toBeLessThanOrEqual(promised.truncated)
      expect(found.first + found.frames.length, `${where}: acknowledged frames`).toBeGreaterThanOrEqual(promised.acked)
    }
    expect(found.first + found.frames.length, `${where}: nothing that was not sent`).toBeLessThanOrEqual(promised.sent)
    expect(found.frames, `${where}: order`).toEqual(found.frames.map((_, i) => word(found.first + i)))
  }
  await mq.close()
}

type Step = (state: { mq: FileMq; producer: MqProducer; fs: FaultyFs; promised: Promised }) => Promise<void>

const send = (groups: readonly number[]): Step => async ({ producer, promised }) => {
  const sends = groups.map((count) => {
    const frames = Array.from({ length: count }, (_, i) => Buffer.from(word(promised.sent + i)))
    const end = (promised.sent += count)
    return producer.send(frames).then(() => void (promised.acked = Math.max(promised.acked, end)))
  })
  await Promise.all(sends)
}

const steps: Step[] = [
  send([1]),
  send([3]),
  send([1, 2, 1]),
  async ({ mq, promised }) => {
    const before = promised.acked >> 1
    promised.truncated = Math.max(promised.truncated, before)
    const bytes = Buffer.alloc(8)
    bytes.writeBigUInt64BE(BigInt(before))
    await mq.truncate('a', { backend: 'file', bytes })
  },
  async (state) => {
    await state.mq.close()
    state.mq = await open(state.fs)
    state.producer = await state.mq.openProducer('a')
  },
]

async function remove({ mq, promised }: Parameters<Step>[0]): Promise<void> {
  promised.deletion = 'begun'
  await mq.deleteChannel('a')
  promised.deletion = 'done'
}

/** All images of one short workload; gives their number. */
async function allImages(seed: number): Promise<number> {
  const random = seeded(seed)
  const fs = new FaultyFs()
  const promised: Promised = { acked: 0, truncated: 0, sent: 0, deletion: 'none' }
  const images: { image: FaultyFs; promised: Promised; where: string }[] = []
  const seen = new Set<string>()
  let sampled = 0
  fs.onOperation = (count) => {
    for (const image of fs.images(random)) {
      // Most operations change nothing that a power cut could tell.
      const key = `${JSON.stringify(promised)}${image.digest()}`
      if (!seen.has(key)) images.push({ image, promised: { ...promised }, where: `seed ${seed}, operation ${count}, image ${sampled++}` })
      seen.add(key)
    }
  }
  const mq = await open(fs)
  const state = { mq, producer: await mq.openProducer('a'), fs, promised }
  await send([2])(state)
  const length = 1 + Math.floor(random() * 3)
  for (let i = 0; i < length; i++) await (steps[Math.floor(random() * steps.length)] as Step)(state)
  if (random() < 0.2) await remove(state)
  fs.onOperation = () => {}
  await state.mq.close()
  for (const { image, promised: then, where } of images) await check(image, then, where)
  return images.length
}

describe('every image of a power cut', () => {
  it('of short workloads opens with all that was acknowledged', async () => {
    let images = 0
    const workloads = inRing(12, 200, 1000)
    for (let seed = 1; seed <= workloads; seed++) images += await allImages(seed)
    expect(images).toBeGreaterThan(workloads * 10)
  }, 300_000)
})

describe('a writer that another one took over', () => {
  const failureOf = (sent: Promise<unknown>): Promise<unknown> => sent.then(() => undefined, (error: unknown) => error)

  it('acknowledges nothing more, and spoils nothing', async () => {
    const fs = new FaultyFs()
    const paused = await open(fs)
    const old = await paused.openProducer('a')
    await old.send([Buffer.from('0')])
    const mq = await open(fs)
    const producer = await mq.openProducer('a')
    expect(await failureOf(old.send([Buffer.from('lost')]))).toMatchObject({ code: 'MSG_FENCED', outcome: 'unknown', retryable: false })
    await producer.send([Buffer.from('1')])
    expect(await failureOf(old.send([Buffer.from('lost')]))).toMatchObject({ code: 'MSG_FENCED', outcome: 'not-applied' })
    expect(await failureOf(paused.truncate('a', { backend: 'file', bytes: new Uint8Array(8) }))).toMatchObject({ code: 'MSG_FENCED' })
    expect(paused.healthy).toBe(false)
    await paused.close()
    const reader = await mq.openReader('a', { at: 'earliest' })
    const got: string[] = []
    while (got.length < 2) got.push(...((await reader.read())?.frames ?? []).map((frame) => Buffer.from(frame).toString()))
    expect(got).toEqual(['0', '1'])
    await mq.close()
  })

  it('at whatever moment: what either acknowledged is there once, in order', async () => {
    for (let seed = 1; seed <= inRing(150, 1500, 20_000); seed++) {
      const random = seeded(seed * 31)
      const fs = new FaultyFs()
      const [first, takeOverAt] = [await open(fs), 3 + Math.floor(random() * 60)]
      const old = await first.openProducer('a')
      const acked: string[] = []
      let taking: Promise<FileMq> | undefined
      let count = 0
      fs.onOperation = () => {
        if (++count === takeOverAt) taking = open(fs)
      }
      const send = async (producer: MqProducer, name: string): Promise<boolean> => {
        try {
          await producer.send([Buffer.from(name), Buffer.from(`${name}+`)])
          acked.push(name, `${name}+`)
          return true
        } catch (error) {
          expect(isMsgStreamError(error, 'MSG_FENCED'), `seed ${seed}: ${String(error)}`).toBe(true)
          return false
        }
      }
      for (let i = 0; i < 40 && (await send(old, `old${i}`)); i++);
      taking ??= open(fs)
      const second = await taking
      const producer = await second.openProducer('a')
      for (let i = 0; i < 5; i++) expect(await send(producer, `new${i}`)).toBe(true)
      await Promise.all([first.close(), second.close()])
      const third = await open(random() < 0.5 ? fs.powerLoss(random) : fs)
      const reader = await third.openReader('a', { at: 'earliest' })
      const { last } = await third.bounds('a')
      const frames: string[] = []
      while (frames.length <= Number(Buffer.from(last?.bytes ?? []).readBigUInt64BE())) frames.push(...((await reader.read())?.frames ?? []).map((frame) => Buffer.from(frame).toString()))
      expect(frames.filter((frame) => acked.includes(frame)), `seed ${seed}`).toEqual(acked)
      await third.close()
    }
  }, 120_000)
})
