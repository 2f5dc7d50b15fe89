import { createHeartbeat, startWatchdog } from '../src/index.ts'
import type { ActiveComponent, Clock, RecoveryOptions, Status, Watchdog, WatchdogEvent, WatchdogOptions } from '../src/index.ts'

interface Timer {
  readonly at: number
  readonly callback: () => void
}

/** Time that moves when told. Timers fire in order; promises settle in between. */
export class VirtualClock implements Clock {
  #time = 0
  readonly timers = new Set<Timer>()

  now(): number {
    return this.#time
  }

  monotonic(): number {
    return this.#time
  }

  setTimer(callback: () => void, delayMs: number): () => void {
    const timer = { at: this.#time + delayMs, callback }
    this.timers.add(timer)
    return () => void this.timers.delete(timer)
  }

  async advance(ms: number): Promise<void> {
    const end = this.#time + ms
    for (;;) {
      const next = [...this.timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0]
      if (next === undefined) break
      this.#time = Math.max(this.#time, next.at)
      this.timers.delete(next)
      next.callback()
      await settle()
    }
    this.#time = end
    await settle()
  }

  /** Time passes and nobody runs. */
  stall(ms: number): void {
    this.#time += ms
  }
}

export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

export class FakeComponent implements ActiveComponent {
  readonly id: string
  readonly calls: string[] = []
  said: Status = 'healthy'
  onClean: (options: RecoveryOptions) => Status | void | Promise<Status | void> = () => {}
  onRestart: (options: RecoveryOptions) => Status | void | Promise<Status | void> = () => {}

  constructor(id: string) {
    this.id = id
  }

  status(): Status {
    return this.said
  }

  clean(options: RecoveryOptions): Status | void | Promise<Status | void> {
    this.calls.push(`clean ${options.incarnation}`)
    return this.onClean(options)
  }

  restart(options: RecoveryOptions): Status | void | Promise<Status | void> {
    this.calls.push(`restart ${options.incarnation}`)
    return this.onRestart(options)
  }
}

export interface Rig {
  readonly clock: VirtualClock
  readonly dog: Watchdog
  readonly events: WatchdogEvent[]
  readonly types: () => string[]
  readonly beat: (id: string, status?: Status, more?: { incarnation?: number; seq?: number }) => void
}

/** Checks each 100 ms, silence after 1 s, grace 3 s, no jitter, unless told otherwise. */
export function rig(options: WatchdogOptions = {}): Rig {
  const clock = new VirtualClock()
  const events: WatchdogEvent[] = []
  const dog = startWatchdog({
    checkIntervalMs: 100,
    timeoutMs: 1000,
    startupGraceMs: 3000,
    clock,
    random: () => 0,
    onEvent: (event) => void events.push(event),
    ...options,
  })
  return {
    clock,
    dog,
    events,
    types: () => events.map(({ type }) => type),
    beat: (id, status = 'healthy', more = {}) => dog.putHeartbeat(createHeartbeat(id, status, more)),
  }
}

/** A component that beats each `everyMs` for `ms`. */
export async function live({ clock, beat }: Rig, id: string, ms: number, everyMs = 200): Promise<void> {
  for (let t = 0; t < ms; t += everyMs) {
    beat(id)
    await clock.advance(everyMs)
  }
}

/** A small seeded generator (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

/** A rig with one component, `a`. */
export function registered(options: WatchdogOptions = {}): Rig & { readonly a: FakeComponent } {
  const parts = rig(options)
  const a = new FakeComponent('a')
  parts.dog.register(a)
  return { ...parts, a }
}
