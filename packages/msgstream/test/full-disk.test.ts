import { describe, expect, it } from 'vitest'
import { openFileMq } from '../src/file.ts'
import { FaultyFs, seeded } from './faulty-fs.ts'
import { check, contents, lock, open, word, workload } from './file-workload.ts'
import type { MessageId } from '../src/index.ts'

describe('a full disk', () => {
  const failure = (sent: Promise<unknown>): Promise<unknown> => sent.then(() => 'acknowledged', ({ code, outcome, retryable }) => ({ code, outcome, retryable }))
  const refused = { code: 'MSG_FULL', outcome: 'not-applied', retryable: true }

  it('refuses, and takes frames again when there is room; a power cut brings nothing refused back', async () => {
    for (let seed = 1; seed <= 60; seed++) {
      const random = seeded(seed)
      const fs = new FaultyFs()
      const mq = await open(fs)
      const producer = await mq.openProducer('a')
      const expected: string[] = []
      for (let round = 0; round < 6; round++) {
        fs.roomBytes = round % 2 === 0 ? Infinity : Math.floor(random() * 1200)
        for (let i = 0; i < 5; i++) {
          const frames = Array.from({ length: 1 + Math.floor(random() * 3) }, (_, k) => word('a', round * 100 + i * 10 + k))
          const outcome = await failure(producer.send(frames.map((frame) => Buffer.from(frame))))
          if (outcome === 'acknowledged') expected.push(...frames)
          else expect(outcome, `seed ${seed}`).toEqual(refused)
        }
        expect(mq.healthy).toBe(true)
        expect((await contents(mq, 'a')).frames, `seed ${seed}`).toEqual(expected)
      }
      const image = fs.powerLoss(random)
      await mq.close()
      const again = await open(image)
      expect((await contents(again, 'a')).frames, `seed ${seed} after the power cut`).toEqual(expected)
      await again.close()
    }
  })

  it('refuses all that waited, keeps the order, and drops the ticks behind it', async () => {
    const fs = new FaultyFs()
    const mq = await open(fs)
    const producer = await mq.openProducer('a')
    await producer.send([Buffer.from('first')])
    const reader = await mq.openReader('a', { at: 'latest' })
    fs.roomBytes = 10
    const outcomes = Array.from({ length: 5 }, (_, i) => failure(producer.send([Buffer.from(`lost${i}`)])))
    producer.sendTransient(Buffer.from('tick of what is lost'))
    expect(await Promise.all(outcomes)).toEqual(Array.from({ length: 5 }, () => refused))
    fs.roomBytes = Infinity
    const sends = Promise.all(['a', 'b', 'c'].map((text) => producer.send([Buffer.from(text)])))
    await sends
    producer.sendTransient(Buffer.from('tick'))
    const got: string[] = []
    while (got.length < 4) got.push(...((await reader.read())?.frames ?? []).map((frame) => Buffer.from(frame).toString()))
    expect(got).toEqual(['a', 'b', 'c', 'tick'])
    await mq.close()
  })

  it('a sync that finds no room fails the queue for good', async () => {
    const fs = new FaultyFs()
    const mq = await open(fs)
    const producer = await mq.openProducer('a')
    fs.failSyncIn = 1
    expect(await failure(producer.send([Buffer.from('x')]))).toMatchObject({ code: 'MSG_STORAGE_FAILED', outcome: 'unknown' })
    expect(mq.healthy).toBe(false)
    await mq.close()
  })

  const modes: { name: string; fill: (fs: FaultyFs) => void }[] = [
    { name: 'no byte', fill: (fs) => (fs.roomBytes = 0) },
    { name: 'a few bytes', fill: (fs) => (fs.roomBytes = 20) },
    { name: 'no byte and no name', fill: (fs) => ((fs.roomBytes = 0), (fs.noNames = true)) },
  ]
  const makeRoom = (fs: FaultyFs): void => {
    fs.roomBytes = Infinity
    fs.noNames = false
  }

  for (const { name, fill } of modes) {
    it(`opens and reads where there is ${name}, refuses writes, and goes on when there is room`, async () => {
      const fs = new FaultyFs()
      const before = await open(fs)
      const expected = Array.from({ length: 12 }, (_, i) => word('a', i))
      const first = await before.openProducer('a')
      for (const frame of expected) await first.send([Buffer.from(frame)])
      await before.close()
      // A tail that was never acknowledged: it is cut once the folder can be written.
      const newest = fs.paths().findLast((path) => path.endsWith('.seg')) as string
      fs.replace(newest, Buffer.concat([fs.bytes(newest), Buffer.from('torn')]))
      fill(fs)
      const unchanged = fs.bytes(newest).toString('hex')
      for (let round = 0; round < 2; round++) {
        const mq = await open(fs)
        expect(mq.healthy).toBe(true)
        expect(mq.droppedTails).toEqual([])
        expect((await contents(mq, 'a')).frames).toEqual(expected)
        const producer = await mq.openProducer('a')
        for (let i = 0; i < 3; i++) expect(await failure(producer.send([Buffer.from('x')]))).toEqual(refused)
        expect(await failure(mq.createChannel('new'))).toEqual(refused)
        expect(await mq.listChannels()).toEqual(['a'])
        expect(fs.bytes(newest).toString('hex')).toBe(unchanged)
        if (round === 1) {
          makeRoom(fs)
          await producer.send([Buffer.from('more')])
          await mq.createChannel('new')
          expect((await contents(mq, 'a')).frames).toEqual([...expected, 'more'])
          expect(mq.droppedTails).toEqual([{ channel: 'a', path: newest, from: expect.any(Number), bytes: 4 }])
        }
        await mq.close()
      }
      const again = await open(fs.powerLoss(seeded(1)))
      expect((await contents(again, 'a')).frames).toEqual([...expected, 'more'])
      expect(await again.listChannels()).toEqual(['a', 'new'])
      await again.close()
    })
  }

  it('losing power at any step of an opening on a full disk loses nothing', async () => {
    for (let seed = 1; seed <= 40; seed++) {
      const random = seeded(seed * 31)
      const { image, acked, truncatedLater } = await workload(new FaultyFs(), random, 20 + Math.floor(random() * 100))
      let next: FaultyFs | undefined
      const at = 1 + Math.floor(random() * 30)
      image.onOperation = (count) => {
        if (count === at) next = image.powerLoss(random)
      }
      image.roomBytes = Math.floor(random() * 90)
      const mq = await openFileMq({ path: '/data', fs: image, lock, segmentBytes: 2048 })
      for (const channel of await mq.listChannels()) {
        const { first, frames } = await contents(mq, channel)
        expect(first + frames.length, `seed ${seed}`).toBeGreaterThanOrEqual(acked[channel as 'a' | 'b'])
      }
      await mq.close()
      await check(next ?? image.powerLoss(random), acked, truncatedLater, seed)
    }
  })

  it('truncating makes room, and with it the queue is writable again', async () => {
    const fs = new FaultyFs()
    const before = await open(fs)
    const producer = await before.openProducer('a')
    const ids = []
    for (let i = 0; i < 20; i++) ids.push(...(await producer.send([Buffer.from(word('a', i))])))
    await before.close()
    fs.roomBytes = 0
    const mq = await open(fs)
    const files = fs.paths().length
    await mq.truncate('a', ids[15] as MessageId)
    expect(fs.paths().length).toBeLessThan(files)
    fs.roomBytes = 4096
    await (await mq.openProducer('a')).send([Buffer.from('more')])
    await mq.close()
  })

  it('a new folder opens where only names can be made, and is refused with MSG_FULL where nothing can', async () => {
    const fs = new FaultyFs()
    fs.noNames = true
    await expect(open(fs)).rejects.toMatchObject(refused)
    fs.noNames = false
    fs.roomBytes = 0
    const mq = await open(fs)
    expect(await failure(mq.openProducer('a'))).toEqual(refused)
    fs.roomBytes = Infinity
    await (await mq.openProducer('a')).send([Buffer.from('x')])
    expect((await contents(mq, 'a')).frames).toEqual(['x'])
    await mq.close()
  })

  it('a writer that still lives is fenced once there is room, and what it acknowledged until then stays', async () => {
    const fs = new FaultyFs()
    const old = await open(fs)
    const oldProducer = await old.openProducer('a')
    await oldProducer.send([Buffer.from('0')])
    fs.roomBytes = 0
    const mq = await open(fs)
    const producer = await mq.openProducer('a')
    expect(await failure(producer.send([Buffer.from('no')]))).toEqual(refused)
    fs.roomBytes = Infinity
    await oldProducer.send([Buffer.from('1')])
    // Offsets were given out against an end that was not the end.
    expect(await failure(producer.send([Buffer.from('2')]))).toEqual({ code: 'MSG_UNAVAILABLE', outcome: 'not-applied', retryable: true })
    await producer.send([Buffer.from('2')])
    await expect(oldProducer.send([Buffer.from('late')])).rejects.toMatchObject({ code: 'MSG_FENCED' })
    expect((await contents(mq, 'a')).frames).toEqual(['0', '1', '2'])
    await mq.close()
    await old.close()
    const again = await open(fs)
    expect((await contents(again, 'a')).frames).toEqual(['0', '1', '2'])
    await again.close()
  })
})
