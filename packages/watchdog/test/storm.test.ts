import { execFile } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { beforeAll, describe, expect, it } from 'vitest'
import { createSupervisor } from '../src/index.ts'
import type { ComponentStates, SupervisorEvent } from '../src/index.ts'
import { createChildComponent, createWorkerComponent } from '../src/process.ts'
import type { LivingComponent } from '../src/process.ts'
import { startLoopWatch } from '../src/worker.ts'
import type { LoopStall } from '../src/worker.ts'
import { seeded } from './helpers.ts'
import { byRing } from './services.edge.ts'

/** Children of each branch of the tree: ten in all. */
const BRANCHES = [4, 3, 3]
const CHILDREN = BRANCHES.reduce((sum, size) => sum + size)
const STORM_MS = byRing(8_000, 40_000, 120_000)
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

describe('a tree of ten child processes', () => {
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
    const child = (id: string): LivingComponent => createChildComponent({
      id, modulePath: new URL('./fixtures/child.mjs', import.meta.url), execArgv: [], killGraceMs: 200,
      onSpawn: (pid) => {
        pids.set(id, pid)
        all.push(pid)
      },
    })
    const common = { strategy: 'one-for-one', checkIntervalMs: 100, startupGraceMs: 20_000, onEvent } as const
    const branches = BRANCHES.map((size, branch) => createSupervisor({
      ...common, id: `branch-${branch}`, components: Array.from({ length: size }, (_, index) => child(`child-${branch}-${index}`)), timeoutMs: TIMEOUT_MS,
      restart: { maxRestarts: 1_000, backoffMs: 50, maxBackoffMs: 100 },
    }))
    const root = createSupervisor({ ...common, id: 'root', components: branches, timeoutMs: 10_000 })
    await root.start()
    const states = (): [string, ComponentStates][] => branches.flatMap(({ watchdog }) => [...watchdog.states.components])
    const up = (): number => states().filter(([, { phase, status }]) => phase === 'up' && status === 'healthy').length
    await until('all up', 30_000, () => up() === CHILDREN)
    const ids = states().map(([id]) => id)
    restarted = 0
    const end = performance.now() + STORM_MS
    let faults = 0
    while (performance.now() < end) {
      await sleep(100 + random() * 400)
      const id = ids[Math.floor(random() * CHILDREN)] ?? ''
      const pid = pids.get(id)
      if (pid === undefined || hurt.has(id) || new Map(states()).get(id)?.phase !== 'up') continue
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
    const present = new Set(pids.values())
    await until('of each child one process is left, and no zombie', 5_000, () => all.every((pid) => (stateOf(pid) === undefined) !== present.has(pid)))
    await root.close({ clean: true })
    for (const branch of branches) await branch.close()
    await until('no process is left', 5_000, () => all.every((pid) => stateOf(pid) === undefined))
  })
})

describe('a worker thread', () => {
  it('that blocks is terminated and replaced', { timeout: 60_000 }, async () => {
    const component = createWorkerComponent({ id: 'w', modulePath: new URL('./fixtures/thread.mjs', import.meta.url), workerData: { blockAfterMs: 200 }, killGraceMs: 50 })
    const dog = createSupervisor({ id: 'g', strategy: 'one-for-one', components: [component], checkIntervalMs: 50, timeoutMs: 800, startupGraceMs: 10_000 })
    await component.start()
    const state = (): ComponentStates | undefined => dog.watchdog.states.components.get('w')
    await until('restarted once', 30_000, () => state()?.restarts === 1 && state()?.phase === 'up')
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

  it('names the function that blocks the main thread', { timeout: 60_000 }, async () => {
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
