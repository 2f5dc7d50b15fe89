/** Clean, then restart. */
import type { Clock } from './clock.ts'
import type { ActiveComponent, Status } from './component.ts'
import { WatchdogError } from './errors.ts'
import type { RestartSettings } from './settings.ts'

export interface RecoverySteps {
  readonly onCleanFailed: (error: unknown) => void
  /** Called right before `restart`: from here on beats of the old life are stale. */
  readonly onRestarting: () => void
}

/** Resolves when the component has restarted; rejects with why it has not. Stops between the steps when `signal` aborts. */
export async function recover(
  component: ActiveComponent,
  incarnation: number,
  settings: RestartSettings,
  clock: Clock,
  signal: AbortSignal,
  steps: RecoverySteps,
): Promise<void> {
  try {
    await limit('clean', component.id, settings.cleanTimeoutMs, clock, signal, (inner) => component.clean({ signal: inner, incarnation }))
  } catch (error) {
    signal.throwIfAborted()
    steps.onCleanFailed(error)
    if (settings.onCleanFailure === 'give-up') throw error
  }
  signal.throwIfAborted()
  steps.onRestarting()
  await limit('restart', component.id, settings.restartTimeoutMs, clock, signal, (inner) =>
    component.restart({ signal: inner, incarnation }),
  )
}

/** Run one step. Whoever ignores its signal is left behind when the time is over; what it does later is nobody's concern. */
async function limit(
  what: string,
  id: string,
  timeoutMs: number,
  clock: Clock,
  signal: AbortSignal,
  run: (signal: AbortSignal) => Status | void | Promise<Status | void>,
): Promise<void> {
  const inner = new AbortController()
  let fail: (reason: unknown) => void = () => {}
  const cut = new Promise<never>((_, reject) => (fail = reject))
  const stop = (reason: unknown): void => {
    inner.abort(reason)
    fail(reason)
  }
  const onAbort = (): void => stop(signal.reason)
  signal.addEventListener('abort', onAbort, { once: true })
  const cancel = clock.setTimer(
    () => stop(new WatchdogError('WATCHDOG_RECOVERY_TIMEOUT', `${what} of "${id}" took longer than ${timeoutMs} ms`)),
    timeoutMs,
  )
  try {
    const status = await Promise.race([start(run, inner.signal), cut])
    if (status === 'unhealthy') throw new WatchdogError('WATCHDOG_RECOVERY_FAILED', `${what} of "${id}" left it unhealthy`)
  } finally {
    cancel()
    signal.removeEventListener('abort', onAbort)
  }
}

async function start(run: (signal: AbortSignal) => Status | void | Promise<Status | void>, signal: AbortSignal): Promise<Status | void> {
  return run(signal)
}
