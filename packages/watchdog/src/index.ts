export type { Clock } from './clock.ts'
export { createHeartbeat } from './component.ts'
export type { ActiveComponent, ComponentHeartbeat, RecoveryOptions, Status } from './component.ts'
export { isWatchdogError, WATCHDOG_ERROR_CODES, WatchdogError } from './errors.ts'
export type { WatchdogErrorCode, WatchdogErrorOptions } from './errors.ts'
export { startWatchdog } from './start-watchdog.ts'
export type {
  ComponentStates, DumpOptions, Fault, HeartbeatDump, Phase, RestartOptions, Watchdog, WatchdogEvent, WatchdogOptions, WatchdogStates,
} from './watchdog.ts'
