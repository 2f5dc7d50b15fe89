export type { Clock } from './clock.ts'
export { createHeartbeat } from './component.ts'
export type { ActiveComponent, ComponentHeartbeat, RecoveryOptions, Status } from './component.ts'
export { isWatchdogError, WATCHDOG_ERROR_CODES, WatchdogError } from './errors.ts'
export type { WatchdogErrorCode, WatchdogErrorOptions } from './errors.ts'
export { startWatchdog } from './start-watchdog.ts'
export type {
  ComponentStates, DumpOptions, Fault, HeartbeatDump, Phase, RestartOptions, Watchdog, WatchdogEvent, WatchdogOptions, WatchdogStates,
} from './watchdog.ts'
export { pumpDump } from './pump.ts'
export type { LineSink, PumpOptions } from './pump.ts'
export type { PhiOptions } from './phi.ts'
export { createSupervisor } from './supervisor.ts'
export type { Strategy, Supervised, Supervisor, SupervisorEvent, SupervisorOptions } from './supervisor.ts'
