/// <reference lib="esnext.disposable" />
/**
 * A watchdog over components that belong together. Who is recovered with the one that failed is the strategy's (Erlang/OTP):
 *
 * - `one-for-one`: nobody else.
 * - `rest-for-one`: those that depend on it, directly or over others; without any `dependsOn`: those that come after it.
 * - `one-for-all`: everybody.
 *
 * Those concerned are cleaned in reverse order, then restarted in order; the order is that of dependencies, else of the list. A
 * supervisor is itself a component: put into another it makes a tree. When one of its components is given up it says
 * `unhealthy`, so that the one above recovers it as a whole.
 */
import { checkDuration, checkFunction, checkName, checkObject, describeValue } from './arguments.ts'
import type { Clock } from './clock.ts'
import { checkComponent } from './component-checks.ts'
import { createHeartbeat } from './component.ts'
import type { ActiveComponent, ComponentHeartbeat, RecoveryOptions, Status } from './component.ts'
import { systemClock } from './edge.ts'
import { orderOf, dependentsOf } from './dependencies.ts'
import { startWatchdog } from './start-watchdog.ts'
import type { Watchdog, WatchdogEvent, WatchdogOptions } from './watchdog.ts'

export type Strategy = 'one-for-one' | 'one-for-all' | 'rest-for-one'

/** A component that a supervisor looks after. */
export interface Supervised extends ActiveComponent {
  /** Ids of those that must run before it. */
  readonly dependsOn?: readonly string[] | undefined
  /** Called once with where its beats go; components that beat by other means leave it out. */
  connect?(putHeartbeat: (beat: ComponentHeartbeat) => void): void
}

export type SupervisorEvent = WatchdogEvent | { readonly type: 'escalated'; readonly id: string }

export interface SupervisorOptions extends Omit<WatchdogOptions, 'onEvent'> {
  readonly id: string
  readonly strategy: Strategy
  readonly components: readonly Supervised[]
  /** Of the supervisor itself, for the one above. @default 1_000 */
  readonly beatIntervalMs?: number | undefined
  readonly onEvent?: ((event: SupervisorEvent) => void) | undefined
}

export interface Supervisor extends Supervised, AsyncDisposable {
  /** Restarts all components, in order: their first start. */
  start(signal?: AbortSignal): Promise<void>
  readonly watchdog: Watchdog
  putHeartbeat(beat: ComponentHeartbeat): void
  /** Stops looking after them; then cleans them, in reverse order, when `clean` is true. */
  close(options?: { readonly clean?: boolean | undefined }): Promise<void>
}

export function createSupervisor(options: SupervisorOptions): Supervisor {
  checkObject('options', options)
  checkName('id', options.id)
  const strategies: readonly string[] = ['one-for-one', 'one-for-all', 'rest-for-one']
  if (!strategies.includes(options.strategy)) throw new TypeError(`expected \`strategy\` to be one of ${strategies.join(', ')}, got ${describeValue(options.strategy)}`)
  if (!Array.isArray(options.components)) throw new TypeError(`expected \`components\` to be an array, got ${describeValue(options.components)}`)
  for (const component of options.components as readonly Supervised[]) checkComponent(component)
  if (options.onEvent !== undefined) checkFunction('onEvent', options.onEvent)
  return new Group(options)
}

interface Member {
  readonly component: Supervised
  incarnation: number
  /** Number of the recovery of the group that last restarted it. */
  restartedIn: number
}

class Group implements Supervisor {
  readonly id: string
  readonly watchdog: Watchdog
  readonly #strategy: Strategy
  readonly #onEvent: SupervisorOptions['onEvent']
  readonly #members: readonly Member[]
  readonly #clock: Clock
  readonly #beatIntervalMs: number
  /** Those that are being recovered now, with others: their silence is no fault. */
  readonly #excused = new Set<string>()
  #recoveries = 0
  #lock: Promise<unknown> = Promise.resolve()
  #escalated = false
  #cancelBeat: (() => void) | undefined
  #beats = 0

  constructor(options: SupervisorOptions) {
    const { id, strategy, components, beatIntervalMs, onEvent, ...rest } = options
    this.id = id
    this.#strategy = strategy
    this.#onEvent = onEvent
    this.#clock = rest.clock ?? systemClock
    this.#beatIntervalMs = checkDuration('beatIntervalMs', beatIntervalMs ?? 1_000, 1)
    this.#members = orderOf(components).map((component) => ({ component, incarnation: 0, restartedIn: 0 }))
    const { restart = {} } = rest
    // A step of the group may be a step of each of its members.
    const times = components.length + 1
    const cleanTimeoutMs = Math.min((restart.cleanTimeoutMs ?? 10_000) * times, 2 ** 31 - 1)
    const restartTimeoutMs = Math.min((restart.restartTimeoutMs ?? 30_000) * times, 2 ** 31 - 1)
    this.watchdog = startWatchdog({ ...rest, restart: { ...restart, cleanTimeoutMs, restartTimeoutMs }, onEvent: (event) => this.#hear(event) })
    for (const member of this.#members) this.#watch(member)
  }

  status(): Status {
    return this.#escalated ? 'unhealthy' : 'healthy'
  }

  connect(put: (beat: ComponentHeartbeat) => void): void {
    this.#cancelBeat?.()
    const beat = (): void => {
      this.#cancelBeat = this.#clock.setTimer(beat, this.#beatIntervalMs)
      put(createHeartbeat(this.id, this.status(), { seq: ++this.#beats }))
    }
    beat()
  }

  putHeartbeat(beat: ComponentHeartbeat): void {
    this.watchdog.putHeartbeat(beat)
  }

  start(signal: AbortSignal = new AbortController().signal): Promise<void> {
    return this.#alone(() => this.#restartAll(this.#members, signal))
  }

  clean({ signal }: RecoveryOptions): Promise<void> {
    return this.#alone(() => this.#cleanAll(this.#members, signal))
  }

  async restart({ signal }: RecoveryOptions): Promise<void> {
    await this.start(signal)
    this.#escalated = false
  }

  async close({ clean = false }: { readonly clean?: boolean | undefined } = {}): Promise<void> {
    this.#cancelBeat?.()
    await this.watchdog.close()
    if (clean) await this.#alone(() => this.#cleanAll(this.#members, new AbortController().signal))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #watch(member: Member): void {
    const { component } = member
    let asked = 0
    component.connect?.((beat) => this.watchdog.putHeartbeat(beat))
    this.watchdog.register({
      id: component.id,
      status: () => (this.#excused.has(component.id) ? 'stopping' : component.status()),
      clean: (options) => {
        asked = this.#recoveries
        return this.#alone(async () => {
          if (member.restartedIn > asked) return
          await this.#cleanAll(this.#concerned(member), options.signal)
        })
      },
      restart: (options) => this.#alone(async () => {
        // Another one's recovery restarted this one too while it waited for its turn.
        if (member.restartedIn > asked) return
        member.incarnation = Math.max(member.incarnation, options.incarnation - 1)
        await this.#restartAll(this.#concerned(member), options.signal, member)
      }),
    })
  }

  #concerned(member: Member): readonly Member[] {
    if (this.#strategy === 'one-for-one') return [member]
    if (this.#strategy === 'one-for-all') return this.#members
    const ids = dependentsOf(member.component.id, this.#members.map(({ component }) => component))
    return this.#members.filter((other) => other === member || ids.has(other.component.id))
  }

  /** One that cannot be cleaned does not keep the others from it. */
  async #cleanAll(members: readonly Member[], signal: AbortSignal): Promise<void> {
    for (const { component } of members) this.#excused.add(component.id)
    let failure: { readonly error: unknown } | undefined
    for (const { component, incarnation } of Array.from(members).reverse()) {
      signal.throwIfAborted()
      try {
        if ((await component.clean({ signal, incarnation: incarnation + 1 })) === 'unhealthy') throw new Error(`clean of "${component.id}" left it unhealthy`)
      } catch (error) {
        failure ??= { error }
      }
    }
    if (failure !== undefined) throw failure.error
  }

  async #restartAll(members: readonly Member[], signal: AbortSignal, cause?: Member): Promise<void> {
    const recovery = ++this.#recoveries
    try {
      for (const member of members) {
        signal.throwIfAborted()
        const { component } = member
        const status = await component.restart({ signal, incarnation: ++member.incarnation })
        if (status === 'unhealthy') throw new Error(`restart of "${component.id}" left it unhealthy`)
        member.restartedIn = recovery
        // The watchdog keeps the count of the one that failed; the others begin anew.
        if (member !== cause) this.watchdog.reset(component.id)
      }
    } finally {
      for (const { component } of members) this.#excused.delete(component.id)
    }
  }

  #alone(run: () => Promise<void>): Promise<void> {
    const done = this.#lock.then(run)
    this.#lock = done.catch(() => undefined)
    return done
  }

  #hear(event: WatchdogEvent): void {
    this.#onEvent?.(event)
    if (event.type !== 'gave-up' || this.#escalated) return
    this.#escalated = true
    this.#onEvent?.({ type: 'escalated', id: this.id })
  }
}
