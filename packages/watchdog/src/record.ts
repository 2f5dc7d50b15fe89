/** What is known of one component, and the judgement of it: synchronous, without a clock. */
import { STATUSES } from './component.ts'
import type { ActiveComponent, ComponentHeartbeat, Status } from './component.ts'
import { Intervals } from './phi.ts'
import type { PhiSettings } from './phi.ts'
import type { Settings } from './settings.ts'
import type { Fault, Phase } from './watchdog.ts'

export interface ComponentRecord {
  readonly component: ActiveComponent
  readonly id: string
  phase: Phase
  /** Observed time at which this life, or its grace, began. */
  bornAt: number
  /** Observed arrival of the last beat of this life. */
  beatAt: number | undefined
  status: Status | undefined
  incarnation: number
  seq: number
  beats: number
  staleBeats: number
  restarts: number
  /** Monotonic times of attempts that still count. */
  attempts: number[]
  /** Attempts in a row. */
  streak: number
  /** The last restart failed and nothing was heard since. */
  restartFailed: boolean
  fault: Fault | undefined
  /** Monotonic: when a waiting recovery is due. */
  dueAt: number
  /** Monotonic; `undefined` while not healthy. */
  healthySince: number | undefined
  abort: AbortController | undefined
  /** Of this life; only with phi-accrual. */
  intervals: Intervals | undefined
}

export function createRecord(component: ActiveComponent, observed: number): ComponentRecord {
  return {
    component,
    id: component.id,
    phase: 'starting',
    bornAt: observed,
    beatAt: undefined,
    status: undefined,
    incarnation: 0,
    seq: -1,
    beats: 0,
    staleBeats: 0,
    restarts: 0,
    attempts: [],
    streak: 0,
    restartFailed: false,
    fault: undefined,
    dueAt: 0,
    healthySince: undefined,
    abort: undefined,
    intervals: undefined,
  }
}

/** A new life begins: what was heard of the last one does not count. */
export function beginLife(record: ComponentRecord, incarnation: number, observed: number): void {
  record.incarnation = incarnation
  record.seq = -1
  record.beatAt = undefined
  record.status = undefined
  record.bornAt = observed
  record.healthySince = undefined
  record.intervals = undefined
}

/** Take a beat; false if it is of an earlier life, repeated or out of order. */
export function takeBeat(record: ComponentRecord, beat: ComponentHeartbeat, observed: number, now: number, phi?: PhiSettings | undefined): boolean {
  const { incarnation = record.incarnation, seq, status } = beat
  if (incarnation < record.incarnation || (incarnation === record.incarnation && seq !== undefined && seq <= record.seq)) {
    record.staleBeats++
    return false
  }
  // A component may have begun a new life by itself.
  if (incarnation > record.incarnation) beginLife(record, incarnation, observed)
  if (seq !== undefined) record.seq = seq
  record.beats++
  if (phi !== undefined && record.beatAt !== undefined) (record.intervals ??= new Intervals(phi)).add(observed - record.beatAt)
  record.beatAt = observed
  record.status = status
  if (status !== 'healthy') record.healthySince = undefined
  else record.healthySince ??= now
  if (status !== 'unhealthy' && record.phase !== 'recovering') record.restartFailed = false
  return true
}

/**
 * What is wrong with it, if anything. `excusedAt` is the observed time of the last stall: nobody is silent before a
 * whole period has passed since.
 */
export function findFault(record: ComponentRecord, observed: number, excusedAt: number, settings: Settings): Fault | undefined {
  const polled = poll(record.component)
  if (polled === 'unhealthy' || record.status === 'unhealthy') return 'unhealthy'
  if (polled === 'stopping' || record.status === 'stopping') return undefined
  if (record.restartFailed) return 'restart-failed'
  const { timeoutMs, startupGraceMs, phi } = settings
  if (observed <= excusedAt + timeoutMs) return undefined
  if (record.beatAt === undefined) return observed - record.bornAt > startupGraceMs ? 'never-seen' : undefined
  const silentMs = observed - record.beatAt
  if (silentMs > timeoutMs) return 'silent'
  return phi !== undefined && (record.intervals?.phi(silentMs) ?? 0) > phi.threshold ? 'silent' : undefined
}

function poll(component: ActiveComponent): Status {
  try {
    const status = component.status()
    return STATUSES.includes(status) ? status : 'unhealthy'
  } catch {
    return 'unhealthy'
  }
}

/** The wait before the next attempt, or `undefined`: there were too many. */
export function nextDelay(record: ComponentRecord, now: number, settings: Settings): number | undefined {
  const { maxRestarts, withinMs, backoffMs, maxBackoffMs, jitter } = settings.restart
  record.attempts = record.attempts.filter((at) => now - at < withinMs)
  if (record.attempts.length >= maxRestarts) return undefined
  if (record.streak === 0) return 0
  const wait = Math.min(backoffMs * 2 ** (record.streak - 1), maxBackoffMs)
  return wait * (1 - jitter * settings.random())
}
