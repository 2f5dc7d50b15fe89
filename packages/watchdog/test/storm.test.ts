import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import { createSupervisor } from '../src/index.ts'
import type { SupervisorEvent } from '../src/index.ts'
import { createChildComponent, createWorkerComponent } from '../src/process.ts'
import { startLoopWatch } from '../src/worker.ts'
import type { LoopStall } from '../src/worker.ts'
import { seeded } from './helpers.ts'

const CHILDREN = 10
const isLong = process.env['TIMETICK_RING'] === 'ci' || process.env['TIMETICK_RING'] === 'soak'
const STORM_MS = isLong ? 120_000 : 8_000
const TIMEOUT_MS = 1_500
/** Silence, a check, the end of the old life, the start of a node process on a busy machine. */
const BOUND_MS = TIMEOUT_MS + 100 + 300 + 12_000

async function until(what: string, limitMs: number, holds: () => boolean): Promise<void> {
  const end = performance.now() + limitMs
  while (!holds()) {
    if (performance.now() > end) throw new Error(`${what} not within ${limitMs} ms`)
    await sleep(20)
  }
}

/** Running, stopped or a zombie; `undefined` when gone. */
function stateOf(pid: number): string | undefined {
  try {
    return /\) (\w)/.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1]
  } catch {
    return undefined
  }
}

beforeAll(() => {
  if (!existsSync(new URL('../dist/process.js', import.meta.url))) throw new Error('build the package first: its children run the built entry')
})

describe('ten child processes', () => {
  it('are restarted when killed, stopped or blocked, and never when well', { timeout: STORM_MS + 90_000 }, async () => {
    const seed = Number(process.env['SEED'] ?? 20_261)
    const random = seeded(seed)
    const pids = new Map<string, number>()
    const all: number[] = []
    const hurt = new Map<string, number>()
    const wrong: string[] = []
    let restarted = 0
    const onEvent = (event: SupervisorEvent): void => {
      if (event.type === 'fault' && !hurt.has(event.id)) wrong.push(`${event.id}: ${event.fault}`)
      if (event.type === 'restarted') restarted++
      if (event.type === 'up') hurt.delete(event.id)
    }
    const components = Array.from({ length: CHILDREN }, (_, index) => {
      const id = `child-${index}`
      const onSpawn = (pid: number): void => {
        pids.set(id, pid)
        all.push(pid)
      }
      return createChildComponent({ id, modulePath: new URL('./fixtures/child.mjs', import.meta.url), execArgv: [], killGraceMs: 200, onSpawn })
    })
    const dog = createSupervisor({
      id: 'storm', strategy: 'one-for-one', components, checkIntervalMs: 100, timeoutMs: TIMEOUT_MS, startupGraceMs: 20_000,
      restart: { maxRestarts: 1_000, backoffMs: 50, maxBackoffMs: 100 }, onEvent,
    })
    await dog.start()
    const up = (): number => [...dog.watchdog.states.components.values()].filter(({ phase, status }) => phase === 'up' && status === 'healthy').length
    await until('all up', 30_000, () => up() === CHILDREN)
    const end = performance.now() + STORM_MS
    let faults = 0
    while (performance.now() < end) {
      await sleep(100 + random() * 400)
      const id = `child-${Math.floor(random() * CHILDREN)}`
      const pid = pids.get(id)
      if (pid === undefined || hurt.has(id) || dog.watchdog.states.components.get(id)?.phase !== 'up') continue
      const signal = (['SIGKILL', 'SIGSTOP', 'SIGUSR2'] as const)[Math.floor(random() * 3)] ?? 'SIGKILL'
      hurt.set(id, performance.now())
      process.kill(pid, signal)
      faults++
      for (const [other, since] of hurt) expect(performance.now() - since, `seed ${seed}: ${other} was not restarted in its bound`).toBeLessThan(BOUND_MS)
    }
    await until(`seed ${seed}: all up again`, BOUND_MS, () => hurt.size === 0 && up() === CHILDREN)
    expect(wrong, `seed ${seed}: restarted though well`).toEqual([])
    expect(restarted).toBe(faults)
    expect(faults).toBeGreaterThan(STORM_MS / 2_000)
    await dog.close({ clean: true })
    await until('no process is left', 5_000, () => all.every((pid) => stateOf(pid) === undefined))
  })
})

describe('a worker thread', () => {
  it('that blocks is terminated and replaced', { timeout: 30_000 }, async () => {
    const component = createWorkerComponent({ id: 'w', modulePath: new URL('./fixtures/thread.mjs', import.meta.url), workerData: { blockAfterMs: 200 }, killGraceMs: 50 })
    const dog = createSupervisor({ id: 'g', strategy: 'one-for-one', components: [component], checkIntervalMs: 50, timeoutMs: 800, startupGraceMs: 10_000 })
    await component.start()
    await until('restarted', 15_000, () => dog.watchdog.states.components.get('w')?.restarts === 1 && dog.watchdog.states.components.get('w')?.phase === 'up')
    await dog.close({ clean: true })
  })
})

describe('startLoopWatch', () => {
  it('tells of a blocked loop, with what blocked it', { timeout: 30_000 }, async () => {
    const stalls: LoopStall[] = []
    const watch = startLoopWatch({ thresholdMs: 200, action: 'none', onStall: (stall) => void stalls.push(stall) })
    await watch.ready
    await sleep(300)
    function blockTheLoop(): void {
      const end = performance.now() + 1_500
      while (performance.now() < end) Math.sqrt(2)
    }
    blockTheLoop()
    await until('told', 5_000, () => stalls.length > 0)
    expect(stalls[0]?.blockedMs).toBeGreaterThan(200)
    await watch.close()
    await watch.close()
  })

  it('names the function that blocks the main thread', { timeout: 30_000 }, async () => {
    const run = promisify(execFile)
    const { stdout } = await run(process.execPath, [fileURLToPath(new URL('./fixtures/blocked.mjs', import.meta.url))])
    const { blockedMs, stack } = JSON.parse(stdout) as LoopStall
    expect(blockedMs).toBeGreaterThan(100)
    expect(stack[0]).toMatch(/^blockTheLoop \(file:.*blocked\.mjs:\d+:\d+\)$/)
  })

  it('refuses what makes no sense', () => {
    expect(() => startLoopWatch({ thresholdMs: 0 })).toThrow(RangeError)
    expect(() => startLoopWatch({ action: 'explode' as never })).toThrow(TypeError)
  })
})
