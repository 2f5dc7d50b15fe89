/** Tails that are cut, flipped, overwritten or put in another order: open recovers to the last whole record and says what it dropped. */
import { expect, it } from 'vitest'
import { openFileMq } from '../src/file.ts'
import { isMsgStreamError } from '../src/index.ts'
import { FaultyFs, seeded } from './faulty-fs.ts'
import { ManualClock } from './helpers.ts'
import { inRing } from './ring.ts'

const lock = async () => ({ release: async () => {} })
const path = '/data/channels/a/0000000000000000.seg'
const word = (n: number): string => `${n}:${'z'.repeat((n * 53) % 400)}`

type Damage = (file: Buffer, random: () => number) => { readonly file: Buffer; readonly from: number }

const damages: Record<string, Damage> = {
  cut: (file, random) => {
    const from = 32 + Math.floor(random() * (file.length - 32))
    return { file: file.subarray(0, from), from }
  },
  flipped: (file, random) => {
    const from = 32 + Math.floor(random() * (file.length - 32))
    const copy = Buffer.from(file)
    copy[from] = (file[from] ?? 0) ^ (1 << Math.floor(random() * 8))
    return { file: copy, from }
  },
  zeroed: (file, random) => {
    const from = 32 + Math.floor(random() * (file.length - 32))
    return { file: Buffer.from(file).fill(0, from, Math.min(file.length, from + 512)), from }
  },
  reordered: (file, random) => {
    // Two neighbours change places: what the drive wrote first is not what was written first.
    const bytes = Math.min(512, (file.length - 32) >> 1)
    const from = 32 + Math.floor(random() * (file.length - 32 - 2 * bytes))
    const parts = [file.subarray(0, from), file.subarray(from + bytes, from + 2 * bytes), file.subarray(from, from + bytes), file.subarray(from + 2 * bytes)]
    return { file: Buffer.concat(parts), from }
  },
  'with an old block': (file, random) => {
    const from = 64 + Math.floor(random() * (file.length - 64))
    const copy = Buffer.from(file)
    file.copy(copy, from, 32, 32 + Math.min(300, file.length - from))
    return { file: copy, from }
  },
}

it.each(Object.entries(damages))('a file that is %s', async (_, damage) => {
  let dropped = 0
  for (let seed = 1; seed <= inRing(150, 2000, 50_000); seed++) {
    const random = seeded(seed)
    const fs = new FaultyFs()
    const mq = await openFileMq({ path: '/data', fs, lock, clock: new ManualClock() })
    const producer = await mq.openProducer('a')
    /** Frames and bytes behind each group. */
    const groups: { count: number; bytes: number }[] = []
    let count = 0
    for (let group = 0, groupCount = 2 + Math.floor(random() * 8); group < groupCount; group++) {
      const frames = Array.from({ length: 1 + Math.floor(random() * 4) }, () => Buffer.from(word(count++)))
      await producer.send(frames)
      groups.push({ count, bytes: fs.bytes(path).length })
    }
    await mq.close()
    const { file, from } = damage(fs.bytes(path), random)
    fs.replace(path, Buffer.from(file))
    const opened = await openFileMq({ path: '/data', fs, lock, clock: new ManualClock() }).catch((error: unknown) => error)
    if (opened instanceof Error) {
      expect(isMsgStreamError(opened, 'MSG_CORRUPT'), `seed ${seed}: ${opened.message}`).toBe(true)
      // What is refused has sound groups behind the damage.
      expect(from, `seed ${seed}`).toBeLessThan(groups.at(-2)?.bytes ?? 0)
      continue
    }
    const again = opened as Awaited<ReturnType<typeof openFileMq>>
    const { last } = await again.bounds('a')
    const kept = last === undefined ? 0 : Number(Buffer.from(last.bytes).readBigUInt64BE()) + 1
    const frames: string[] = []
    const reader = await again.openReader('a', { at: 'earliest' })
    while (frames.length < kept) frames.push(...((await reader.read())?.frames ?? []).map((frame) => Buffer.from(frame).toString()))
    expect(frames, `seed ${seed}`).toEqual(frames.map((_it, i) => word(i)))
    expect(kept, `seed ${seed}: whole groups before the damage`).toBeGreaterThanOrEqual(groups.findLast(({ bytes }) => bytes <= from)?.count ?? 0)
    const keptBytes = frames.reduce((sum, frame) => sum + 28 + frame.length, 32)
    if (file.length > keptBytes) {
      dropped++
      expect(again.droppedTails, `seed ${seed}`).toEqual([{ channel: 'a', path, from: keptBytes, bytes: file.length - keptBytes }])
    }
    await again.close()
  }
  expect(dropped).toBeGreaterThan(0)
}, 120_000)
