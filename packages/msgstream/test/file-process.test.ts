import { spawn } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { build } from 'tsup'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openFileMq } from '../src/file.ts'
import { isMsgStreamError } from '../src/index.ts'
import { seeded } from './faulty-fs.ts'
import { inRing } from './ring.ts'

const root = mkdtempSync(join(tmpdir(), 'timetick-kill-'))
const program = join(root, 'kill-child.mjs')

beforeAll(async () => {
  await build({ entry: [join(import.meta.dirname, 'kill-child.ts')], outDir: root, format: 'esm', target: 'es2023', config: false, silent: true, outExtension: () => ({ js: '.mjs' }) })
}, 60_000)
afterAll(() => rmSync(root, { recursive: true, force: true }))

const channels = ['a', 'b']

/** Start the writer; kill it after so many acknowledgements. Gives the last acknowledged count per channel. */
async function runAndKill(path: string, lines: number): Promise<{ acked: Map<string, number>; opened: string }> {
  const child = spawn(process.execPath, [program, path, channels.join()], { stdio: ['ignore', 'pipe', 'inherit'] })
  const acked = new Map<string, number>()
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  let seen = 0
  let opened = ''
  // Every line that reached the pipe counts, also those behind the kill.
  for await (const line of createInterface({ input: child.stdout })) {
    const [name = '', end = ''] = line.split(' ')
    if (name === 'open') opened = end
    else acked.set(name, Number(end))
    if (++seen === lines) child.kill('SIGKILL')
  }
  await exited
  return { acked, opened }
}

describe('a writer that is killed', () => {
  it('loses no acknowledged frame, however often, and its folder opens at the first try', async () => {
    const random = seeded(20_240_611)
    const path = join(root, 'killed')
    for (let kill = 0; kill < inRing(8, 100, 1000); kill++) {
      const { acked, opened } = await runAndKill(path, 1 + Math.floor(random() * 300))
      expect(opened).not.toBe('')
      const mq = await openFileMq({ path, segmentBytes: 64 << 10 })
      for (const channel of channels) {
        if (!(await mq.listChannels()).includes(channel)) {
          expect(acked.get(channel) ?? 0).toBe(0)
          continue
        }
        const { last } = await mq.bounds(channel)
        const count = last === undefined ? 0 : Number(Buffer.from(last.bytes).readBigUInt64BE()) + 1
        expect(count).toBeGreaterThanOrEqual(acked.get(channel) ?? 0)
        const reader = await mq.openReader(channel, { at: 'earliest' })
        for (let n = 0; n < count; ) {
          const batch = await reader.read()
          for (const frame of batch?.frames ?? []) expect(Buffer.from(frame).toString()).toBe(`${channel}${n}:${'y'.repeat((n++ * 131) % 900)}`)
        }
      }
      await mq.close()
    }
  }, 600_000)
})

describe('readers in other processes', () => {
  const content = (channel: string, n: number): string => `${channel}${n}:${'y'.repeat((n * 131) % 900)}`

  it('see all that is acknowledged, in order and nothing else, while it is written and behind a kill', async () => {
    const path = join(root, 'shared')
    const child = spawn(process.execPath, [program, path, channels.join()], { stdio: ['ignore', 'pipe', 'inherit'] })
    const exited = new Promise((resolve) => child.once('exit', resolve))
    const acked = new Map<string, number>()
    const lines = (async () => {
      for await (const line of createInterface({ input: child.stdout })) {
        const [name = '', end = ''] = line.split(' ')
        if (name !== 'open') acked.set(name, Number(end))
      }
    })()
    await expect.poll(() => acked.size, { timeout: 20_000 }).toBe(2)
    const mq = await openFileMq({ path, readOnly: true })
    expect(await mq.listChannels()).toEqual(channels)
    const readers = await Promise.all(channels.map((channel) => mq.openReader(channel, { at: 'earliest' })))
    const counts = channels.map(() => 0)
    const next = (i: number): number => {
      counts[i] = (counts[i] ?? 0) + 1
      return (counts[i] ?? 0) - 1
    }
    const readOn = async (i: number, until: number): Promise<void> => {
      while ((counts[i] as number) < until) {
        for (const frame of (await readers[i]?.read())?.frames ?? []) expect(Buffer.from(frame).toString()).toBe(content(channels[i] as string, next(i)))
      }
    }
    // Over several segments, beside the writer.
    await Promise.all(channels.map((_, i) => readOn(i, 600)))
    const late = await mq.openReader('a', { at: 'latest' })
    const [id] = (await late.read({ maxMessages: 1 }))?.ids ?? []
    expect(Number(Buffer.from(id?.bytes ?? []).readBigUInt64BE())).toBeGreaterThanOrEqual(600)
    child.kill('SIGKILL')
    await exited
    await lines
    await Promise.all(channels.map((channel, i) => readOn(i, acked.get(channel) ?? 0)))
    // The next writer takes over; what it writes comes too.
    const writer = await openFileMq({ path, segmentBytes: 64 << 10 })
    const ends = await Promise.all(channels.map(async (channel) => Number(Buffer.from((await writer.bounds(channel)).last?.bytes ?? []).readBigUInt64BE()) + 1))
    expect(counts.every((count, i) => count <= (ends[i] as number))).toBe(true)
    await (await writer.openProducer('a')).send([Buffer.from(content('a', ends[0] as number))])
    await readOn(0, (ends[0] as number) + 1)
    await Promise.all([mq.close(), writer.close()])
  }, 60_000)

  it('learn of retention, deletion, and what they may not do', async () => {
    const path = join(root, 'shared-rules')
    await expect(openFileMq({ path, readOnly: true })).rejects.toMatchObject({ code: 'MSG_UNAVAILABLE' })
    const writer = await openFileMq({ path, segmentBytes: 1024 })
    const producer = await writer.openProducer('a')
    for (let i = 0; i < 20; i++) await producer.send([Buffer.alloc(500)])
    const mq = await openFileMq({ path, readOnly: true, pollMs: 1 })
    const [before, behind] = [await mq.openReader('a', { at: 'earliest' }), await mq.openReader('a', { at: 'latest' })]
    const { last } = await writer.bounds('a')
    await writer.truncate('a', last as never)
    const { first } = await mq.bounds('a')
    expect(first?.bytes).toEqual((await writer.bounds('a')).first?.bytes)
    await expect(before.read()).rejects.toMatchObject({ code: 'MSG_POSITION_EXPIRED' })
    for (const refused of [mq.createChannel('b'), mq.deleteChannel('a'), mq.openProducer('a'), mq.truncate('a', last as never)]) {
      await expect(refused).rejects.toMatchObject({ code: 'MSG_UNSUPPORTED', outcome: 'not-applied' })
    }
    await expect(mq.openReader('none', { at: 'earliest' })).rejects.toMatchObject({ code: 'MSG_CHANNEL_NOT_FOUND' })
    const told = behind.read().catch((error: unknown) => error)
    await writer.deleteChannel('a')
    expect(await told).toMatchObject({ code: 'MSG_CHANNEL_NOT_FOUND' })
    await Promise.all([mq.close(), mq.close(), writer.close()])
    await expect(mq.listChannels()).rejects.toSatisfy((error) => isMsgStreamError(error, 'MSG_CLOSED'))
  })
})

describe('one writer per folder', () => {
  it('a second one gets MSG_LOCKED with the pid, from this and from another process', async () => {
    const path = join(root, 'locked')
    const mq = await openFileMq({ path })
    await expect(openFileMq({ path })).rejects.toMatchObject({ code: 'MSG_LOCKED', details: { pid: process.pid } })
    const child = spawn(process.execPath, [program, path, 'a'], { stdio: ['ignore', 'ignore', 'pipe'] })
    let stderr = ''
    child.stderr.on('data', (data) => (stderr += String(data)))
    await new Promise((resolve) => child.once('close', resolve))
    expect(stderr).toContain('MSG_LOCKED')
    expect(stderr).toContain(`pid ${process.pid}`)
    await mq.close()
    await (await openFileMq({ path })).close()
  })

  it('names the pid of another process, and takes over after its kill', async () => {
    const path = join(root, 'taken')
    const child = spawn(process.execPath, [program, path, 'a'], { stdio: ['ignore', 'pipe', 'inherit'] })
    const exited = new Promise((resolve) => child.once('exit', resolve))
    await new Promise((resolve) => child.stdout.once('data', resolve))
    child.stdout.resume()
    await expect(openFileMq({ path })).rejects.toMatchObject({ code: 'MSG_LOCKED', details: { pid: child.pid } })
    child.kill('SIGKILL')
    await exited
    await (await openFileMq({ path })).close()
  })

  it('works where the path is longer than a socket may have', async () => {
    const path = join(root, 'x'.repeat(120), 'y'.repeat(60))
    mkdirSync(path, { recursive: true })
    const mq = await openFileMq({ path })
    await expect(openFileMq({ path })).rejects.toMatchObject({ code: 'MSG_LOCKED', details: { pid: process.pid } })
    await mq.close()
    await (await openFileMq({ path })).close()
  })

  it('of many who open at once after a kill exactly one wins', async () => {
    const path = join(root, 'race')
    await runAndKill(path, 3)
    const opened = await Promise.allSettled(Array.from({ length: 8 }, () => openFileMq({ path })))
    expect(opened.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    for (const it of opened) {
      if (it.status === 'rejected') expect(it.reason).toMatchObject({ code: 'MSG_LOCKED' })
      else await it.value.close()
    }
    await (await openFileMq({ path })).close()
  })

  it('a path that is none is a TypeError, bad options are refused before anything is made', async () => {
    for (const path of ['', 'a\0b', 5, undefined]) await expect(openFileMq({ path: path as string })).rejects.toThrow(TypeError)
    const path = join(root, 'never')
    await expect(openFileMq({ path, segmentBytes: -1 })).rejects.toThrow(RangeError)
    await expect(openFileMq({ path, sync: 'never' as 'commit' })).rejects.toThrow(TypeError)
  })
})
