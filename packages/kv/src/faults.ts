/** Faults on purpose, for tests of code that uses a store. */

/** What a call is about to do, or has done. */
export interface KVOperation {
  /** Name of the method called, such as `save` or `compareAndSave`; of a lease `keepAlive` and `revoke`. */
  readonly name: string
  readonly write: boolean
  /** The keys or the prefix named by the call. */
  readonly keys: readonly string[]
}

/**
 * Called around each operation. A promise delays it. A throw of `before` fails it with nothing done; a throw of `after`
 * fails it although it was done: the caller cannot know (`outcome: 'unknown'`).
 *
 * @example
 * const faults = { after: (op) => { if (op.write) throw new KVError('KV_TIMEOUT', 'reply lost', { outcome: 'unknown' }) } }
 */
export interface KVFaults {
  before?: ((operation: KVOperation) => void | Promise<void>) | undefined
  after?: ((operation: KVOperation) => void | Promise<void>) | undefined
}
