/** One life of a child process or a worker thread, and the component that gives it one after another. */
import type { ComponentHeartbeat, RecoveryOptions, Status } from '../component.ts'
import { WatchdogError } from '../errors.ts'
import type { Supervised } from '../supervisor.ts'
import { readBeat } from './beat.ts'

export interface Life {
  /** Settles when it has ended, however. */
  readonly ended: Promise<void>
  /** Ask it to end; `hard` takes it down. */
  stop(hard: boolean): void
}

export interface LifeHooks {
  readonly incarnation: number
  readonly onMessage: (message: unknown) => void
  readonly signal: AbortSignal
}

export interface LifeOptions {
  readonly id: string
  readonly dependsOn?: readonly string[] | undefined
  /** Time between the polite and the hard end. */
  readonly graceMs: number
  readonly wait: (delayMs: number) => { readonly over: Promise<void>; readonly cancel: () => void }
  readonly begin: (hooks: LifeHooks) => Promise<Life>
}

export interface LivingComponent extends Supervised {
  /** Its first life, or one after `stop`. */
  start(): Promise<void>
  /** End it for now: politely, then hard after the grace. It says `stopping` until it is started again. */
  stop(): Promise<void>
}

export function createLiving(options: LifeOptions): LivingComponent {
  return new Living(options)
}

class Living implements LivingComponent {
  readonly id: string
  readonly dependsOn: readonly string[] | undefined
  readonly #options: LifeOptions
  #life: Life | undefined
  #incarnation = 0
  #stopped = true
  #died = false
  #put: ((beat: ComponentHeartbeat) => void) | undefined

  constructor(options: LifeOptions) {
    this.id = options.id
    this.dependsOn = options.dependsOn
    this.#options = options
  }

  connect(put: (beat: ComponentHeartbeat) => void): void {
    this.#put = put
  }

  status(): Status {
    if (this.#stopped) return 'stopping'
    return this.#died ? 'unhealthy' : 'healthy'
  }

  start(): Promise<void> {
    return this.restart({ signal: new AbortController().signal, incarnation: this.#incarnation })
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await this.#end()
  }

  clean(): Promise<void> {
    return this.#end()
  }

  async restart({ signal, incarnation }: RecoveryOptions): Promise<void> {
    // Two lives of one component at once must not be.
    await this.#end()
    signal.throwIfAborted()
    this.#incarnation = Math.max(incarnation, this.#incarnation)
    const onMessage = (message: unknown): void => {
      const beat = readBeat(this.id, message)
      if (beat !== undefined) this.#put?.(beat)
    }
    const life = await this.#options.begin({ incarnation: this.#incarnation, onMessage, signal })
    this.#life = life
    this.#died = false
    this.#stopped = false
    void life.ended.then(() => {
      if (this.#life === life) this.#died = true
    })
    if (!signal.aborted) return
    await this.#end()
    throw new WatchdogError('WATCHDOG_RECOVERY_FAILED', `the restart of "${this.id}" was called off`, { cause: signal.reason })
  }

  async #end(): Promise<void> {
    const life = this.#life
    if (life === undefined) return
    const { over, cancel } = this.#options.wait(this.#options.graceMs)
    life.stop(false)
    await Promise.race([life.ended, over])
    cancel()
    life.stop(true)
    await life.ended
    if (this.#life === life) this.#life = undefined
  }
}
