import { Writable } from 'node:stream'
import { pino } from 'pino'
import { describe, expect, it } from 'vitest'
import { createHeartbeat, pumpDump, startWatchdog } from '../src/index.ts'
import { Intervals, MAX_PHI, readPhi } from '../src/phi.ts'
import { live, registered, settle } from './helpers.ts'

describe('phi-accrual', () => {
  it('rises with silence, is small while beats are in time, and is capped', () => {
    const intervals = new Intervals(readPhi({ minStdDevMs: 10 }))
    expect(intervals.phi(1e9)).toBe(0)
    for (let n = 0; n < 50; n++) intervals.add(100)
    const values = [0, 90, 100, 120, 150, 200, 1000, 1e6, Infinity].map((ms) => intervals.phi(ms))
    expect(values).toEqual([...values].sort((a, b) => a - b))
    expect(values[2]).toBeCloseTo(Math.log10(2), 5)
    expect(values[1]).toBeLessThan(0.1)
    expect(values[5]).toBeGreaterThan(8)
    expect(values.at(-1)).toBe(MAX_PHI)
  })

  it('misses a component that beat often long before its timeout', async () => {
    const parts = registered({ timeoutMs: 10_000, phi: { minStdDevMs: 50 } })
    await live(parts, 'a', 5000, 200)
    expect(parts.a.calls).toEqual([])
    await parts.clock.advance(1000)
    expect(parts.a.calls).toEqual(['clean 1', 'restart 1'])
    await parts.dog.close()
  })

  it('refuses what makes no sense', () => {
    expect(() => startWatchdog({ phi: { threshold: 0 } })).toThrow(RangeError)
    expect(() => startWatchdog({ phi: { window: 1.5 } })).toThrow(RangeError)
    expect(() => startWatchdog({ phi: null as never })).toThrow(TypeError)
  })
})

describe('pumpDump', () => {
  it('writes NDJSON, waits for a full sink and ends with the watchdog', async () => {
    const dog = startWatchdog()
    const chunks: string[] = []
    const release: (() => void)[] = []
    const sink = new Writable({ highWaterMark: 1, decodeStrings: false, write: (chunk: string, _encoding, done) => (chunks.push(chunk), void release.push(done)) })
    const pumping = pumpDump(dog.dumpHeartbeat({ maxBuffered: 2 }), sink)
    await settle()
    for (let seq = 0; seq < 6; seq++) dog.putHeartbeat(createHeartbeat('a', 'healthy', { seq }))
    await dog.close()
    for (let n = 0; n < 6; n++) {
      await settle()
      release.shift()?.()
    }
    expect(await pumping).toBe(3)
    expect(chunks.map((line) => (JSON.parse(line) as { seq: number }).seq)).toEqual([0, 4, 5])
  })

  it('is a log: into a logger of pino as objects, into its destination as lines', async () => {
    const dog = startWatchdog()
    const chunks: string[] = []
    const destination = { write: (chunk: string) => void chunks.push(chunk) }
    const logger = pino({ base: null, timestamp: false }, destination)
    const pumping = [
      pumpDump(dog.dumpHeartbeat(), { write: (line) => logger.info(JSON.parse(line) as object, 'beat') }),
      pumpDump(dog.dumpHeartbeat(), destination),
    ]
    await settle()
    dog.putHeartbeat(createHeartbeat('a', 'healthy', { seq: 1 }))
    await settle()
    await dog.close()
    expect(await Promise.all(pumping)).toEqual([1, 1])
    expect(chunks.map((line) => JSON.parse(line) as unknown)).toEqual([
      { level: 30, id: 'a', status: 'healthy', seq: 1, msg: 'beat' },
      { id: 'a', status: 'healthy', seq: 1 },
    ])
  })

  it('ends at its signal, and fails as its sink does', async () => {
    const dog = startWatchdog()
    const stop = new AbortController()
    const pumping = pumpDump(dog.dumpHeartbeat(), { write: () => true }, { signal: stop.signal })
    await settle()
    stop.abort()
    expect(await pumping).toBe(0)
    const failing = pumpDump(dog.dumpHeartbeat(), { write: () => { throw new Error('full') } })
    await settle()
    dog.putHeartbeat(createHeartbeat('a', 'healthy'))
    await expect(failing).rejects.toThrow('full')
    await dog.close()
  })
})
