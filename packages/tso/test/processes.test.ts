import { expect, onTestFinished, test } from 'vitest'
import { checkTimestampHealth, connectTimestampSource } from '../src/grpc.ts'
import type { RemoteTimestampSource } from '../src/grpc.ts'
import { bundleFixture, startChild } from '@timetick/tools/child'
import type { Child } from '@timetick/tools/child'

async function start(file: string, ...args: string[]): Promise<Child> {
  const child = startChild(file, args)
  onTestFinished(async () => {
    child.process.kill('SIGKILL')
    await child.exited
  })
  await child.line('serving')
  return child
}

function connect(addresses: readonly string[]): RemoteTimestampSource {
  const source = connectTimestampSource({ addresses, timeoutMs: 20_000, silenceMs: 300, maxBackoffMs: 100 })
  onTestFinished(() => source.close())
  return source
}

/** Asks one by one until told to stop. Over all callers: what starts after an end is greater, and nothing comes twice. */
class Load {
  greatest = 0n
  calls = 0
  longestGapMs = 0
  readonly seen = new Set<bigint>()
  readonly faults: string[] = []
  #stopped = false
  readonly #callers: Promise<void>[]
  #lastAt = performance.now()

  constructor(sources: readonly RemoteTimestampSource[], callersEach: number) {
    this.#callers = sources.flatMap((source) => Array.from({ length: callersEach }, () => this.#call(source).catch((error: unknown) => void this.faults.push(String(error)))))
  }

  async #call(source: RemoteTimestampSource): Promise<void> {
    while (!this.#stopped) {
      const floor = this.greatest
      const ts = await source.allocOne()
      if (ts <= floor) this.faults.push(`${ts} after ${floor}`)
      if (this.seen.has(ts)) this.faults.push(`${ts} twice`)
      this.seen.add(ts)
      if (ts > this.greatest) this.greatest = ts
      this.calls++
      this.longestGapMs = Math.max(this.longestGapMs, performance.now() - this.#lastAt)
      this.#lastAt = performance.now()
    }
  }

  async more(calls: number): Promise<void> {
    const target = this.calls + calls
    await expect.poll(() => this.calls, { timeout: 20_000, interval: 5 }).toBeGreaterThan(target)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all(this.#callers)
  }
}

test('an oracle in a process of its own: kill -9 and a start on the same port', { timeout: 60_000 }, async () => {
  const file = await bundleFixture(import.meta.dirname, 'oracle-process', 'grpc')
  const child = await start(file, 'memory')
  const address = child.lines[0]?.slice('serving '.length) ?? ''
  expect(await checkTimestampHealth({ address })).toBe(true)
  const source = connect([address])
  const load = new Load([source], 50)
  await load.more(2_000)
  child.process.kill('SIGKILL')
  await child.exited
  await expect.poll(() => source.states.status).toBe('connecting')
  // A memory store forgets; the clock has gone on, so its timestamps are greater all the same.
  const [port] = [address.split(':')[1] ?? '']
  const next = await start(file, 'memory', '', '', port)
  expect(next.lines[0]).toBe(`serving ${address}`)
  await load.more(2_000)
  await load.stop()
  expect(load.faults).toEqual([])
})
