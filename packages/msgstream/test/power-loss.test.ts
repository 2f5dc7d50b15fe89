import { describe, expect, it } from 'vitest'
import { openFileMq } from '../src/file.ts'
import { FaultyFs, seeded } from './faulty-fs.ts'
import { check, contents, lock, open, word, workload } from './file-workload.ts'
import { ManualClock } from './helpers.ts'
import { inRing } from './ring.ts'

describe('power loss', () => {
  it('no image of random workloads loses an acknowledged frame, and each opens at the first start', async () => {
    for (let seed = 1; seed <= inRing(400, 5000, 100_000); seed++) {
      const random = seeded(seed)
      const fs = new FaultyFs()
      fs.shortWrites = random() < 0.3
      const { image, acked, truncatedLater } = await workload(fs, random, 5 + Math.floor(random() * 120))
      await check(image, acked, truncatedLater, seed)
    }
  }, 600_000)

  it('losing power again during recovery changes nothing', async () => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = seeded(seed * 7919)
      const { image, acked, truncatedLater } = await workload(new FaultyFs(), random, 20 + Math.floor(random() * 100))
      let current = image
      for (let round = 0; round < 3; round++) {
        const at = 1 + Math.floor(random() * 8)
        let next: FaultyFs | undefined
        const disk = current
        disk.onOperation = (count) => {
          if (count === at) next = disk.powerLoss(random)
        }
        await (await open(disk)).close()
        current = next ?? disk.powerLoss(random)
      }
      await check(current, acked, truncatedLater, seed)
    }
  })

  it('what a reader saw after a kill stays, also when power goes then', async () => {
    for (let seed = 1; seed <= 200; seed++) {
      const random = seeded(seed * 104_729)
      const { image } = await workload(new FaultyFs(), random, 10 + Math.floor(random() * 80), true)
      const mq = await open(image)
      const channels = await mq.listChannels()
      const seen = await Promise.all(channels.map((channel) => contents(mq, channel)))
      const again = await open(image.powerLoss(random))
      for (const [i, channel] of channels.entries()) {
        const { first, frames } = seen[i] as { first: number; frames: string[] }
        if (frames.length === 0) continue
        const kept = await contents(again, channel)
        expect(kept.first + kept.frames.length, `seed ${seed}`).toBeGreaterThanOrEqual(first + frames.length)
      }
      await Promise.all([mq.close(), again.close()])
    }
  })

  it('a failing call number n, for every n: the queue is failed for good, and what was acknowledged is there', async () => {
    let untouched = false
    for (let n = 1; !untouched && n < 60; n++) {
      for (const kind of ['failSyncIn', 'failWriteIn'] as const) {
        const fs = new FaultyFs()
        const mq = await open(fs)
        const producer = await mq.openProducer('a')
        fs[kind] = n
        let acked = 0
        let failed = false
        for (let i = 0; i < 12; i++) {
          try {
            await producer.send([Buffer.from(word('a', i)), Buffer.alloc(600)])
            expect(failed).toBe(false)
            acked += 2
          } catch (error) {
            expect(error).toMatchObject({ code: 'MSG_STORAGE_FAILED' })
            // The first may have been applied; those behind it are refused before anything is written.
            if (failed) expect(error).toMatchObject({ outcome: 'not-applied' })
            failed = true
          }
        }
        expect(mq.healthy).toBe(!failed)
        const { frames } = await contents(mq, 'a')
        expect(frames.length).toBe(acked)
        await mq.close()
        fs.failSyncIn = fs.failWriteIn = Infinity
        const again = await open(fs)
        expect((await contents(again, 'a')).frames.length).toBeGreaterThanOrEqual(acked)
        await again.close()
        if (kind === 'failSyncIn') untouched = !failed
      }
    }
    expect(untouched).toBe(true)
  })
})

describe('damaged files', () => {
  async function golden(): Promise<{ fs: FaultyFs; path: string; ends: number[] }> {
    const fs = new FaultyFs()
    const mq = await openFileMq({ path: '/data', fs, lock, clock: new ManualClock() })
    const producer = await mq.openProducer('a')
    const path = '/data/channels/a/0000000000000000.seg'
    const ends: number[] = []
    for (let i = 0; i < 6; i++) {
      await producer.send([Buffer.from(word('a', i))])
      ends.push(fs.bytes(path).length)
    }
    await mq.close()
    return { fs, path, ends }
  }

  it('a cut tail loses the cut frames only, and their bytes are counted', async () => {
    const { fs, path, ends } = await golden()
    const whole = Buffer.from(fs.bytes(path))
    for (let size = 32; size <= whole.length; size += 7) {
      fs.replace(path, Buffer.from(whole.subarray(0, size)))
      const mq = await openFileMq({ path: '/data', fs, lock })
      const kept = ends.filter((end) => end <= size)
      expect((await contents(mq, 'a')).frames.length).toBe(kept.length)
      const dropped = size - (kept.at(-1) ?? 32)
      expect(mq.droppedTails).toEqual(dropped === 0 ? [] : [{ channel: 'a', path, from: kept.at(-1) ?? 32, bytes: dropped }])
      await mq.close()
    }
  })

  it('zeros or garbage behind the last frame are cut', async () => {
    for (const tail of [Buffer.alloc(5000), Buffer.alloc(5000, 'TTFR'), Buffer.from('garbage')]) {
      const { fs, path } = await golden()
      fs.replace(path, Buffer.concat([fs.bytes(path), tail]))
      const mq = await openFileMq({ path: '/data', fs, lock })
      expect((await contents(mq, 'a')).frames.length).toBe(6)
      expect(mq.droppedTails[0]?.bytes).toBe(tail.length)
      await mq.close()
    }
  })

  it('a flipped bit before the last group is MSG_CORRUPT with its range; in the last group it is the tail', async () => {
    const { fs, path, ends } = await golden()
    const whole = Buffer.from(fs.bytes(path))
    for (let at = 0; at < whole.length; at += 11) {
      const damaged = Buffer.from(whole)
      damaged[at] = (damaged[at] as number) ^ 0x10
      fs.replace(path, damaged)
      const opening = openFileMq({ path: '/data', fs, lock })
      if (at >= 32 && at >= (ends[4] as number)) {
        const mq = await opening
        expect((await contents(mq, 'a')).frames.length).toBe(5)
        await mq.close()
      } else if (at < 24 || at >= 32) {
        const error: unknown = await opening.then(() => undefined, (it: unknown) => it)
        expect(error).toMatchObject({ code: at >= 4 && at < 8 ? expect.stringMatching(/MSG_(CORRUPT|VERSION)/) : 'MSG_CORRUPT', details: { path } })
      } else {
        await (await opening).close()
      }
    }
  })

  it('a bad frame in an older segment is MSG_CORRUPT when it is read, never skipped', async () => {
    const fs = new FaultyFs()
    const mq = await open(fs)
    const producer = await mq.openProducer('a')
    for (let i = 0; i < 20; i++) await producer.send([Buffer.from(word('a', i))])
    await mq.close()
    const path = fs.paths().filter((it) => it.endsWith('.seg'))[1] as string
    const damaged = Buffer.from(fs.bytes(path))
    damaged[damaged.length - 3] = (damaged[damaged.length - 3] as number) ^ 1
    fs.replace(path, damaged)
    const again = await open(fs)
    await expect(contents(again, 'a')).rejects.toMatchObject({ code: 'MSG_CORRUPT', details: { path } })
    await again.close()
  })

  it('a block that belongs elsewhere does not pass', async () => {
    const { fs, path, ends } = await golden()
    const whole = fs.bytes(path)
    const [first, second] = [whole.subarray(32, ends[0]), whole.subarray(ends[0], ends[1])]
    fs.replace(path, Buffer.concat([whole.subarray(0, 32), second, first, whole.subarray(ends[1])]))
    await expect(openFileMq({ path: '/data', fs, lock })).rejects.toMatchObject({ code: 'MSG_CORRUPT' })
  })

  it('a newer format is refused before a byte is written', async () => {
    const { fs } = await golden()
    const manifest = '/data/manifest.json'
    fs.replace(manifest, Buffer.from(fs.bytes(manifest).toString().replace('"version":1', '"version":2')))
    const before = fs.paths().map((path) => [path, fs.bytes(path).toString('hex')])
    await expect(openFileMq({ path: '/data', fs, lock })).rejects.toMatchObject({ code: 'MSG_VERSION' })
    expect(fs.paths().map((path) => [path, fs.bytes(path).toString('hex')])).toEqual(before)
  })
})
