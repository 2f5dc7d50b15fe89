/// <reference lib="esnext.disposable" />
import { checkInteger, checkName, checkObject } from './arguments.ts'
import { checkComponent, isHeartbeat } from './component-checks.ts'
import type { ActiveComponent, ComponentHeartbeat } from './component.ts'
import { DumpHub } from './dump.ts'
import { WatchdogError } from './errors.ts'
import { ObservedTime } from './observed-time.ts'
import { beginLife, createRecord, findFault, nextDelay, takeBeat } from './record.ts'
import type { ComponentRecord } from './record.ts'
import { recover } from './recovery.ts'
import { readSettings } from './settings.ts'
import type { Settings } from './settings.ts'
import type {
  ComponentStates,
  DumpOptions,
  Fault,
  HeartbeatDump,
  Watchdog,
  WatchdogEvent,
  WatchdogOptions,
  WatchdogStates,
} from './watchdog.ts'

/** Ids of unknown senders that are remembered, so that each is told of once. */
const MAX_ORPHANS = 1_024

/** A watchdog that checks from now on, until closed. It does not keep the process alive. */
export function startWatchdog(options: WatchdogOptions = {}): Watchdog {
  return new Dog(readSettings(options))
}

class Dog implements Watchdog {
  readonly #settings: Settings
  readonly #records = new Map<string, ComponentRecord>()
  readonly #observed: ObservedTime
  readonly #dump = new DumpHub()
  readonly #orphans = new Set<string>()
  readonly #recoveries = new Set<Promise<void>>()
  #excusedAt = Number.NEGATIVE_INFINITY
  #orphanBeats = 0
  #invalidBeats = 0
  #stalls = 0
  #handlerErrors = 0
  #cancelCheck: () => void
  #closing: Promise<void> | undefined

  constructor(settings: Settings) {
    this.#settings = settings
    this.#observed = new ObservedTime(settings.checkIntervalMs, settings.clock.monotonic())
    this.#cancelCheck = settings.clock.setTimer(() => this.#check(), settings.checkIntervalMs)
  }

  register(component: ActiveComponent): void {
    if (this.#closing !== undefined) throw new WatchdogError('WATCHDOG_CLOSED', 'the watchdog was closed')
    checkComponent(component)
    const { id } = component
    if (this.#records.has(id)) throw new WatchdogError('WATCHDOG_DUPLICATE_ID', `"${id}" is registered`, { details: { id } })
    if (this.#records.size >= this.#settings.maxComponents)
      throw new WatchdogError('WATCHDOG_FULL', `${this.#records.size} components are registered`)
    this.#orphans.delete(id)
    this.#records.set(id, createRecord(component, this.#observedNow()))
    this.#tell({ type: 'registered', id })
  }

  unregister(id: string): boolean {
    checkName('id', id)
    const record = this.#records.get(id)
    if (record === undefined) return false
    this.#records.delete(id)
    record.abort?.abort(new WatchdogError('WATCHDOG_UNREGISTERED', `"${id}" was unregistered`))
    this.#tell({ type: 'unregistered', id })
    return true
  }

  putHeartbeat(heartbeat: ComponentHeartbeat): void {
    if (this.#closing !== undefined) return
    try {
      if (!isHeartbeat(heartbeat)) return void this.#invalidBeats++
      this.#dump.put(heartbeat)
      const record = this.#records.get(heartbeat.id)
      if (record === undefined) return this.#putOrphan(heartbeat.id)
      const taken = takeBeat(record, heartbeat, this.#observedNow(), this.#settings.clock.monotonic(), this.#settings.phi)
      if (!taken || record.phase !== 'starting') return
      record.phase = 'up'
      this.#tell({ type: 'up', id: record.id })
    } catch {
      // A getter of the beat threw.
      this.#invalidBeats++
    }
  }

  dumpHeartbeat(options: DumpOptions = {}): HeartbeatDump {
    checkObject('options', options)
    return this.#dump.open(checkInteger('maxBuffered', options.maxBuffered ?? 1_024, 1, 1_000_000))
  }

  reset(id: string): boolean {
    checkName('id', id)
    const record = this.#records.get(id)
    if (record === undefined || record.phase === 'recovering' || this.#closing !== undefined) return false
    beginLife(record, record.incarnation, this.#observedNow())
    Object.assign(record, { phase: 'starting', attempts: [], streak: 0, restartFailed: false, fault: undefined })
    return true
  }

  get states(): WatchdogStates {
    const observed = this.#observedNow()
    const components = new Map(
      [...this.#records].map(([id, record]): [string, ComponentStates] => {
        const { phase, status, incarnation, beatAt, beats, staleBeats, restarts } = record
        return [
          id,
          { phase, status, incarnation, silentMs: beatAt === undefined ? undefined : observed - beatAt, beats, staleBeats, restarts },
        ]
      }),
    )
    return {
      components,
      orphanBeats: this.#orphanBeats,
      invalidBeats: this.#invalidBeats,
      stalls: this.#stalls,
      handlerErrors: this.#handlerErrors,
    }
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#close())
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #check(): void {
    const { clock, checkIntervalMs, timeoutMs } = this.#settings
    const now = clock.monotonic()
    this.#cancelCheck = clock.setTimer(() => this.#check(), checkIntervalMs)
    const lateMs = this.#observed.check(now)
    const observed = this.#observed.at(now)
    if (lateMs > timeoutMs / 2) {
      this.#stalls++
      this.#excusedAt = observed
      this.#tell({ type: 'stalled', lateMs })
    }
    // A copy: handlers of events may register and unregister.
    for (const record of Array.from(this.#records.values())) {
      if (this.#closing !== undefined) return
      if (this.#records.get(record.id) === record) this.#judge(record, observed, now)
    }
  }

  #judge(record: ComponentRecord, observed: number, now: number): void {
    if (record.phase === 'recovering' || record.phase === 'gave-up') return
    const fault = findFault(record, observed, this.#excusedAt, this.#settings)
    if (record.phase === 'waiting') {
      if (fault === undefined) return this.#recovered(record)
      if (now >= record.dueAt && this.#recoveries.size < this.#settings.restart.maxConcurrent) this.#recover(record, fault, now)
    } else if (fault !== undefined) {
      this.#schedule(record, fault, now)
    } else if (record.streak > 0 && record.healthySince !== undefined && now - record.healthySince >= this.#settings.restart.stableMs) {
      record.streak = 0
      record.attempts = []
      this.#tell({ type: 'stable', id: record.id })
    }
  }

  #recovered(record: ComponentRecord): void {
    record.phase = record.beatAt === undefined ? 'starting' : 'up'
    record.fault = undefined
    this.#tell({ type: 'recovered', id: record.id })
  }

  #schedule(record: ComponentRecord, fault: Fault, now: number): void {
    record.fault = fault
    record.healthySince = undefined
    const delayMs = nextDelay(record, now, this.#settings)
    if (delayMs === undefined) return this.#giveUp(record, fault)
    record.phase = 'waiting'
    record.dueAt = now + delayMs
    this.#tell({ type: 'fault', id: record.id, fault, delayMs })
    if (delayMs === 0 && record.phase === 'waiting' && this.#recoveries.size < this.#settings.restart.maxConcurrent)
      this.#recover(record, fault, now)
  }

  #giveUp(record: ComponentRecord, fault: Fault): void {
    record.abort = undefined
    record.phase = 'gave-up'
    this.#tell({ type: 'gave-up', id: record.id, fault, restarts: record.restarts })
  }

  #recover(record: ComponentRecord, fault: Fault, now: number): void {
    // A handler of an event may have closed the watchdog or unregistered the component.
    if (this.#closing !== undefined || this.#records.get(record.id) !== record) return
    record.phase = 'recovering'
    record.attempts.push(now)
    record.streak++
    record.restarts++
    const abort = new AbortController()
    record.abort = abort
    const incarnation = record.incarnation + 1
    const { onCleanFailure } = this.#settings.restart
    let mayRetry = true
    const recovery = recover(record.component, incarnation, this.#settings.restart, this.#settings.clock, abort.signal, {
      onCleanFailed: (error) => {
        mayRetry = onCleanFailure === 'restart'
        this.#tell({ type: 'clean-failed', id: record.id, error })
      },
      onRestarting: () => {
        beginLife(record, incarnation, this.#observedNow())
        this.#tell({ type: 'restarting', id: record.id, fault, incarnation })
      },
    }).then(
      () => this.#restarted(record, abort.signal),
      (error: unknown) => {
        if (mayRetry) this.#notRestarted(record, abort.signal, error)
        else if (!abort.signal.aborted) this.#giveUp(record, fault)
      },
    )
    this.#recoveries.add(recovery)
    void recovery.then(() => this.#recoveries.delete(recovery))
  }

  #restarted(record: ComponentRecord, signal: AbortSignal): void {
    if (signal.aborted) return
    record.abort = undefined
    record.restartFailed = false
    // Its grace begins now: the restart itself may have taken long.
    record.bornAt = this.#observedNow()
    record.phase = record.beatAt === undefined ? 'starting' : 'up'
    this.#tell({ type: 'restarted', id: record.id, incarnation: record.incarnation })
  }

  #notRestarted(record: ComponentRecord, signal: AbortSignal, error: unknown): void {
    if (signal.aborted) return
    record.abort = undefined
    record.restartFailed = true
    record.phase = 'up'
    this.#tell({ type: 'restart-failed', id: record.id, error })
    if (this.#closing === undefined && this.#records.get(record.id) === record)
      this.#schedule(record, 'restart-failed', this.#settings.clock.monotonic())
  }

  #putOrphan(id: string): void {
    this.#orphanBeats++
    if (this.#orphans.has(id)) return
    if (this.#orphans.size >= MAX_ORPHANS) return
    this.#orphans.add(id)
    this.#tell({ type: 'orphan', id })
  }

  #tell(event: WatchdogEvent): void {
    try {
      this.#settings.onEvent?.(event)
    } catch {
      this.#handlerErrors++
    }
  }

  #observedNow(): number {
    return this.#observed.at(this.#settings.clock.monotonic())
  }

  async #close(): Promise<void> {
    this.#cancelCheck()
    const reason = new WatchdogError('WATCHDOG_CLOSED', 'the watchdog was closed')
    for (const record of this.#records.values()) record.abort?.abort(reason)
    this.#dump.close()
    await Promise.all(this.#recoveries)
  }
}
