/**
 * A role of the node under its watchdog: one running instance, replaced by a new one when it fails. Roles keep nothing that
 * metadata, log and storage do not give back.
 */
import { createHeartbeat, type ActiveComponent, type Status, type Watchdog } from '@timetick/watchdog'
import type { NodeClock } from '../edge/system.ts'
import { MilvusError } from '../server/status.ts'

export interface RoleInstance {
  close(): Promise<void>
}

export interface RoleOptions<T extends RoleInstance> {
  readonly id: string
  /** Starts an instance; `onFailure` is called when it can no longer do its work. */
  readonly open: (onFailure: (error: Error) => void) => Promise<T>
  readonly watchdog: Watchdog
  readonly clock: NodeClock
  readonly beatMs: number
  readonly onFailure: (id: string, error: Error) => void
}

export class Role<T extends RoleInstance> implements ActiveComponent {
  readonly id: string
  readonly #options: RoleOptions<T>
  #instance: T | undefined
  #failure: Error | undefined
  #incarnation: number | undefined
  #cancelBeat: (() => void) | undefined
  #starts = 0
  #closed = false

  constructor(options: RoleOptions<T>) {
    this.id = options.id
    this.#options = options
  }

  /** The running instance; throws Milvus's "not ready" while there is none. */
  get current(): T {
    if (this.#instance === undefined) throw new MilvusError(1, `service not ready[role=${this.id}]${this.#failure === undefined ? '' : `: ${this.#failure.message}`}`)
    return this.#instance
  }

  async start(): Promise<void> {
    await this.#open()
    this.#options.watchdog.register(this)
    this.#beat()
  }

  status(): Status {
    return this.#failure === undefined && this.#instance !== undefined ? 'healthy' : 'unhealthy'
  }

  /** Instances that there were so far, with the present one. */
  get starts(): number {
    return this.#starts
  }

  /** Gives the running instance up, as if it had said that it can no longer do its work: the watchdog starts another. */
  fail(error: Error): void {
    if (this.#closed || this.#failure !== undefined || this.#instance === undefined) return
    this.#failure = error
    this.#options.onFailure(this.id, error)
  }

  async clean(): Promise<void> {
    const instance = this.#instance
    this.#instance = undefined
    await instance?.close()
  }

  async restart({ incarnation }: { readonly incarnation: number }): Promise<void> {
    this.#incarnation = incarnation
    await this.#open()
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#cancelBeat?.()
    this.#options.watchdog.unregister(this.id)
    await this.clean()
  }

  async #open(): Promise<void> {
    this.#failure = undefined
    this.#starts++
    this.#instance = await this.#options.open((error) => {
      if (this.#closed || this.#failure !== undefined) return
      this.#failure = error
      this.#options.onFailure(this.id, error)
    })
  }

  #beat(): void {
    if (this.#closed) return
    this.#options.watchdog.putHeartbeat(createHeartbeat(this.id, this.status(), { incarnation: this.#incarnation }))
    this.#cancelBeat = this.#options.clock.setTimer(() => this.#beat(), this.#options.beatMs)
  }
}
