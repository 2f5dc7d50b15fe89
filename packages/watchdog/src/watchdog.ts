/// <reference lib="esnext.disposable" />
/**
 * The contract of a watchdog (appendix A.1), with the twelve points decided that the appendix leaves open. Tests name the rule that they hold:
 *
 *  1. An id Must be registered once; a second time is `WATCHDOG_DUPLICATE_ID`.
 *  2. `putHeartbeat` Must never block and never throw, whatever it is given. Beats of unknown ids are counted and dumped.
 *  3. A component that was never heard of Must be judged by `startupGraceMs`, from its registration or its last restart on.
 *  4. Silence Must be measured on the watchdog's own monotonic arrival times, and only over time in which the watchdog ran: while it was
 *     stalled it heard nobody. After a check that comes late by more than half of `timeoutMs` everyone gets a whole period more.
 *  5. Beats of an earlier incarnation, and repeated or reordered ones, Must be ignored (and counted).
 *  6. A component that says it is unhealthy and one that says nothing Must be told apart in events.
 *  7. Recovery Must be clean, then restart, one at a time for each component, each with a timeout and a signal. A clean that fails
 *     does not prevent the restart, unless `onCleanFailure` says so.
 *  8. More than `maxRestarts` attempts in `withinMs` Must give the component up: event `gave-up`, and nothing more until `reset`. Attempts
 *     in a row wait exponentially longer, with jitter from a seeded source; at most `maxConcurrent` recoveries run at once.
 *  9. A beat Must not cancel a recovery that has begun; one that still waits for its turn is called off when the component is well again.
 *     `stableMs` of health forget earlier restarts.
 * 10. Close Must stop checks first, then abort recoveries, then end the dumps; nothing is restarted afterwards.
 * 11. A dump Must give one line for each beat in the order of arrival; a slow reader loses the oldest lines, counted, and holds nobody up.
 * 12. Who is recovered together with a component Must be said by a strategy, in the order of dependencies: see `createSupervisor`. A watchdog
 *     by itself recovers one for one.
 *
 * Time until a fault is acted upon, at most: `timeoutMs` + `checkIntervalMs` from the last beat to the recovery, while the
 * watchdog runs in time.
 */
import type { Clock } from './clock.ts'
import type { ActiveComponent, ComponentHeartbeat, Status } from './component.ts'
import type { PhiOptions } from './phi.ts'

export interface RestartOptions {
  /** Attempts within `withinMs` before the component is given up. @default 5 */
  readonly maxRestarts?: number | undefined
  /** @default 600_000 */
  readonly withinMs?: number | undefined
  /** Wait before the second attempt in a row; doubles with each one. The first does not wait. @default 1_000 */
  readonly backoffMs?: number | undefined
  /** @default 60_000 */
  readonly maxBackoffMs?: number | undefined
  /** The part of the wait that chance may take off: 0 to 1. @default 0.2 */
  readonly jitter?: number | undefined
  /** Health for so long forgets earlier attempts. @default 60_000 */
  readonly stableMs?: number | undefined
  /** @default 10_000 */
  readonly cleanTimeoutMs?: number | undefined
  /** @default 30_000 */
  readonly restartTimeoutMs?: number | undefined
  /** @default 'restart' */
  readonly onCleanFailure?: 'restart' | 'give-up' | undefined
  /** Recoveries at once, over all components. @default 8 */
  readonly maxConcurrent?: number | undefined
}

export interface WatchdogOptions {
  /** @default 1_000 */
  readonly checkIntervalMs?: number | undefined
  /** Silence for longer is a fault. At least `checkIntervalMs`. @default 10_000 */
  readonly timeoutMs?: number | undefined
  /** @default 30_000 */
  readonly startupGraceMs?: number | undefined
  /** Judge silence by the intervals so far too, so that a component that beats often is missed sooner; `timeoutMs` stays the most. */
  readonly phi?: PhiOptions | undefined
  readonly restart?: RestartOptions | undefined
  /** @default 100_000 */
  readonly maxComponents?: number | undefined
  /** Called synchronously with everything that happens. What it throws is counted in `states.handlerErrors`. */
  readonly onEvent?: ((event: WatchdogEvent) => void) | undefined
  /** @default the system's */
  readonly clock?: Clock | undefined
  /** In [0, 1), for jitter; seeded in tests. @default Math.random */
  readonly random?: (() => number) | undefined
}

/** Why a component is recovered. */
export type Fault = 'never-seen' | 'silent' | 'unhealthy' | 'restart-failed'

export type WatchdogEvent =
  | { readonly type: 'registered' | 'unregistered' | 'up' | 'recovered' | 'stable' | 'orphan'; readonly id: string }
  | { readonly type: 'fault'; readonly id: string; readonly fault: Fault; readonly delayMs: number }
  | { readonly type: 'restarting'; readonly id: string; readonly fault: Fault; readonly incarnation: number }
  | { readonly type: 'restarted'; readonly id: string; readonly incarnation: number }
  | { readonly type: 'clean-failed' | 'restart-failed'; readonly id: string; readonly error: unknown }
  | { readonly type: 'gave-up'; readonly id: string; readonly fault: Fault; readonly restarts: number }
  | { readonly type: 'stalled'; readonly lateMs: number }

/**
 * `starting`: no beat in this life yet. `up`: beats come. `waiting`: a recovery is due after its backoff. `recovering`: clean or restart
 * runs. `gave-up`: only `reset` helps.
 */
export type Phase = 'starting' | 'up' | 'waiting' | 'recovering' | 'gave-up'

export interface ComponentStates {
  readonly phase: Phase
  /** Of the last beat of this life. */
  readonly status: Status | undefined
  readonly incarnation: number
  /** Milliseconds of observed silence; `undefined` before the first beat of this life. */
  readonly silentMs: number | undefined
  /** Beats taken; beats ignored because they were of an earlier life or repeated. */
  readonly beats: number
  readonly staleBeats: number
  /** Attempts in all. */
  readonly restarts: number
}

export interface WatchdogStates {
  readonly components: ReadonlyMap<string, ComponentStates>
  /** Beats of ids that are not registered. */
  readonly orphanBeats: number
  /** Things given to `putHeartbeat` that are no beats. */
  readonly invalidBeats: number
  /** Checks that came late by more than half of `timeoutMs`. */
  readonly stalls: number
  readonly handlerErrors: number
}

/** Lines of beats. Each iteration is a reader of its own, from its first `next` or `for await` on. */
export interface HeartbeatDump extends AsyncIterable<string> {
  /** Lines that its readers lost because they were slow, or because a beat could not be serialized. */
  readonly dropped: number
}

export interface DumpOptions {
  /** Lines that wait for a reader; beyond, the oldest is dropped. @default 1_024 */
  readonly maxBuffered?: number | undefined
}

export interface Watchdog extends AsyncDisposable {
  /** Throws `WATCHDOG_DUPLICATE_ID`, `WATCHDOG_FULL`, `WATCHDOG_CLOSED`. */
  register(component: ActiveComponent): void
  /** False if there was none. A recovery that runs is aborted. */
  unregister(id: string): boolean
  /** Called by components. */
  putHeartbeat(heartbeat: ComponentHeartbeat): void
  dumpHeartbeat(options?: DumpOptions): HeartbeatDump
  /** Forget the restarts of a component and judge it anew, with a start-up grace. False if it is not registered or being recovered. */
  reset(id: string): boolean
  /** A copy of this moment. */
  readonly states: WatchdogStates
  /** Idempotent; never rejects. Recoveries that run are aborted; one that ignores its signal is left behind, and goes no further. */
  close(): Promise<void>
}
