import { checkDuration, checkFunction, checkInteger, checkObject, checkRatio, describeValue } from './arguments.ts'
import type { Clock } from './clock.ts'
import { systemClock, systemRandom } from './edge.ts'
import { readPhi } from './phi.ts'
import type { PhiSettings } from './phi.ts'
import type { RestartOptions, WatchdogEvent, WatchdogOptions } from './watchdog.ts'

/** The options of a restart, all there. */
export interface RestartSettings {
  readonly maxRestarts: number
  readonly withinMs: number
  readonly backoffMs: number
  readonly maxBackoffMs: number
  readonly jitter: number
  readonly stableMs: number
  readonly cleanTimeoutMs: number
  readonly restartTimeoutMs: number
  readonly onCleanFailure: 'restart' | 'give-up'
  readonly maxConcurrent: number
}

export interface Settings {
  readonly checkIntervalMs: number
  readonly timeoutMs: number
  readonly startupGraceMs: number
  readonly phi: PhiSettings | undefined
  readonly restart: RestartSettings
  readonly maxComponents: number
  readonly onEvent: ((event: WatchdogEvent) => void) | undefined
  readonly clock: Clock
  readonly random: () => number
}

export function readSettings(options: WatchdogOptions): Settings {
  checkObject('options', options)
  if (options.onEvent !== undefined) checkFunction('onEvent', options.onEvent)
  if (options.random !== undefined) checkFunction('random', options.random)
  const checkIntervalMs = checkDuration('checkIntervalMs', options.checkIntervalMs ?? 1_000, 1)
  return {
    checkIntervalMs,
    timeoutMs: checkDuration('timeoutMs', options.timeoutMs ?? Math.max(10_000, checkIntervalMs), checkIntervalMs),
    startupGraceMs: checkDuration('startupGraceMs', options.startupGraceMs ?? 30_000),
    phi: options.phi === undefined ? undefined : readPhi(options.phi),
    restart: readRestart(options.restart === undefined ? {} : options.restart),
    maxComponents: checkInteger('maxComponents', options.maxComponents ?? 100_000, 1, 10_000_000),
    onEvent: options.onEvent,
    clock: options.clock ?? systemClock,
    random: options.random ?? systemRandom,
  }
}

function readRestart(options: RestartOptions): RestartSettings {
  checkObject('restart', options)
  const onCleanFailure = options.onCleanFailure ?? 'restart'
  if (onCleanFailure !== 'restart' && onCleanFailure !== 'give-up')
    throw new TypeError(`expected \`onCleanFailure\` to be 'restart' or 'give-up', got ${describeValue(onCleanFailure)}`)
  return {
    maxRestarts: checkInteger('maxRestarts', options.maxRestarts ?? 5, 0, 1_000),
    withinMs: checkDuration('withinMs', options.withinMs ?? 600_000, 1),
    backoffMs: checkDuration('backoffMs', options.backoffMs ?? 1_000),
    maxBackoffMs: checkDuration('maxBackoffMs', options.maxBackoffMs ?? 60_000),
    jitter: checkRatio('jitter', options.jitter ?? 0.2),
    stableMs: checkDuration('stableMs', options.stableMs ?? 60_000),
    cleanTimeoutMs: checkDuration('cleanTimeoutMs', options.cleanTimeoutMs ?? 10_000, 1),
    restartTimeoutMs: checkDuration('restartTimeoutMs', options.restartTimeoutMs ?? 30_000, 1),
    onCleanFailure,
    maxConcurrent: checkInteger('maxConcurrent', options.maxConcurrent ?? 8, 1, 10_000),
  }
}
