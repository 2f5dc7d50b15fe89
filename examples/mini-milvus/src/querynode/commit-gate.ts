/**
 * Where the parts of a commit wait for each other. Channels are read each at its own pace; a part is applied when every channel
 * that carries one has come to its timestamp, and then all parts are, in one step: so nobody ever reads some of them without the
 * others, whatever shards, partitions and collections they belong to.
 *
 * All channels come to commits in the order of their timestamps: none waits for one that waits for it.
 */
import type { Transaction } from '../staging/transactions.ts'

interface Waiting {
  readonly missing: Set<string>
  readonly parts: { readonly apply: () => void; readonly release: (applied: boolean) => void }[]
}

export class CommitGate {
  /** From where each channel is read: what was committed at or below is in segments and never comes. */
  readonly #begins: ReadonlyMap<string, bigint>
  readonly #waiting = new Map<bigint, Waiting>()
  #closed = false

  constructor(begins: ReadonlyMap<string, bigint>) {
    this.#begins = begins
  }

  /** A channel has come to its part. Undefined: it has been applied, with all others. A promise of false: the gate was closed. */
  arrive(channel: string, { ts, channels }: Transaction, apply: () => void): Promise<boolean> | undefined {
    if (!this.#isRead(channel, ts)) {
      apply()
      return undefined
    }
    if (this.#closed) return Promise.resolve(false)
    let waiting = this.#waiting.get(ts)
    if (waiting === undefined) {
      waiting = { missing: new Set(channels.filter((name) => this.#isRead(name, ts))), parts: [] }
      this.#waiting.set(ts, waiting)
    }
    waiting.missing.delete(channel)
    if (waiting.missing.size === 0) {
      this.#waiting.delete(ts)
      apply()
      for (const part of waiting.parts) part.apply()
      for (const part of waiting.parts) part.release(true)
      return undefined
    }
    const { parts } = waiting
    return new Promise((resolve) => void parts.push({ apply, release: resolve }))
  }

  /** Whoever waits goes on, with nothing applied: the node ends. */
  close(): void {
    this.#closed = true
    for (const { parts } of this.#waiting.values()) for (const part of parts) part.release(false)
    this.#waiting.clear()
  }

  #isRead(channel: string, ts: bigint): boolean {
    const begin = this.#begins.get(channel)
    return begin !== undefined && begin < ts
  }
}
