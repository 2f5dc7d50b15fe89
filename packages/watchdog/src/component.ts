/** What is watched, and what it says (appendix A.1). */

/**
 * - `initializing`: alive, not ready; nothing is expected of it but beats.
 * - `healthy`: alive and working.
 * - `unhealthy`: alive, but wants to be recovered.
 * - `stopping`: leaving on purpose; silence is no fault until it says something else.
 *
 * Say `unhealthy` of yourself only, never of what you depend on: a store that is down must not get all its clients restarted.
 */
export type Status = 'initializing' | 'healthy' | 'unhealthy' | 'stopping'

export const STATUSES: readonly Status[] = ['initializing', 'healthy', 'unhealthy', 'stopping']

export interface RecoveryOptions {
  /** Aborts at the timeout, at `unregister` and at `close`. */
  readonly signal: AbortSignal
  /** The number of the life that this restart begins; its beats should carry it. */
  readonly incarnation: number
}

/** A component that can be put right. Beats are how it shows life; `status()` alone shows none. */
export interface ActiveComponent {
  /** Unique in its watchdog. */
  readonly id: string
  /** Asked at every check; must be quick. A throw counts as `unhealthy`. */
  status(): Status
  /** Release what a dead or sick instance may hold. Comes before every restart. `unhealthy`, a throw or a timeout is a failure. */
  clean(options: RecoveryOptions): Status | void | Promise<Status | void>
  /** Begin a new life. `unhealthy`, a throw or a timeout is a failed attempt. */
  restart(options: RecoveryOptions): Status | void | Promise<Status | void>
}

/** One beat. */
export interface ComponentHeartbeat {
  readonly id: string
  readonly status: Status
  /** Which life of the component this comes from; beats of earlier lives are ignored. Absent: taken as the present one. */
  readonly incarnation?: number | undefined
  /** Rises within a life; what does not rise is ignored. Absent: taken as new. */
  readonly seq?: number | undefined
  /** One line for the dump. */
  serialize(): string
}

/** A beat whose line is its JSON: `{"id":…,"status":…,"incarnation":…,"seq":…}`. */
export function createHeartbeat(
  id: string,
  status: Status,
  more: { readonly incarnation?: number | undefined; readonly seq?: number | undefined } = {},
): ComponentHeartbeat {
  const { incarnation, seq } = more
  return { id, status, incarnation, seq, serialize: () => JSON.stringify({ id, status, incarnation, seq }) }
}
