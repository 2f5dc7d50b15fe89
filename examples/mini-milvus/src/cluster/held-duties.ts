/**
 * Calls under way to whoever has a duty. When somebody else has it, or nobody, the one that was asked may be gone without a word, and
 * its answer is not waited for until the call's own timeout: the lease has ended, and the next one can be asked.
 */
import type { NodeClock } from '../edge/system.ts'
import { RpcError } from '../internal/errors.ts'

/** An answer that was sent before the duty was given back may arrive behind the news of that. */
const GRACE_MS = 1_000

interface Asked {
  readonly duty: string
  readonly holder: string
  readonly abort: AbortController
  cancelTimer: (() => void) | undefined
}

export class HeldDuties {
  readonly #clock: Pick<NodeClock, 'setTimer'>
  readonly #asked = new Set<Asked>()

  constructor(clock: Pick<NodeClock, 'setTimer'>) {
    this.#clock = clock
  }

  /** Rejects with a passing `RPC_UNAVAILABLE` of unknown outcome when `holder` has lost the duty and does not answer. */
  async ask<T>(duty: string, holder: string, run: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const asked: Asked = { duty, holder, abort: new AbortController(), cancelTimer: undefined }
    this.#asked.add(asked)
    try {
      return await run(asked.abort.signal)
    } finally {
      this.#asked.delete(asked)
      asked.cancelTimer?.()
    }
  }

  /** @param holder undefined: nobody has it now */
  changed(duty: string, holder: string | undefined): void {
    for (const asked of this.#asked) {
      if (asked.duty !== duty || asked.holder === holder || asked.cancelTimer !== undefined) continue
      asked.cancelTimer = this.#clock.setTimer(() => {
        asked.abort.abort(new RpcError('RPC_UNAVAILABLE', `${asked.holder} has lost ${duty} and did not answer`, { outcome: 'unknown' }))
      }, GRACE_MS)
    }
  }
}
