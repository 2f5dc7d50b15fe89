/** After the first failed write or sync the whole queue is failed for good: what the disk holds is not known any more. */
import { MsgStreamError } from '../errors.ts'

/** Another writer has the folder. */
export class Fenced extends Error {
  constructor() {
    super('another process took the folder over; close and open')
  }
}

export class Health {
  #cause: unknown
  #failed = false

  get failed(): boolean {
    return this.#failed
  }

  fail(cause: unknown): void {
    if (this.#failed) return
    this.#failed = true
    this.#cause = cause
  }

  error(outcome: 'not-applied' | 'unknown'): MsgStreamError {
    if (this.#cause instanceof Fenced) return new MsgStreamError('MSG_FENCED', this.#cause.message, { outcome })
    return new MsgStreamError('MSG_STORAGE_FAILED', `the storage failed and takes no more writes: ${String(this.#cause)}`, { cause: this.#cause, outcome })
  }
}
