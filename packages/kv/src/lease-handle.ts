import type { EngineLease } from './engine.ts'
import type { CallOptions, Lease } from './kv.ts'

export interface LeaseActions {
  keepAlive(options: CallOptions | undefined): Promise<void>
  revoke(options: CallOptions | undefined): Promise<void>
  isClosed(): boolean
}

export class LeaseHandle implements Lease {
  readonly id: string
  readonly ttlMs: number
  readonly #actions: LeaseActions

  constructor(granted: EngineLease, actions: LeaseActions) {
    this.id = granted.id
    this.ttlMs = granted.ttlMs
    this.#actions = actions
  }

  keepAlive(options?: CallOptions): Promise<void> {
    return this.#actions.keepAlive(options)
  }

  revoke(options?: CallOptions): Promise<void> {
    return this.#actions.revoke(options)
  }

  /** Ends the lease; after the store's close there is nothing left to do. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#actions.isClosed()) await this.revoke()
  }
}
