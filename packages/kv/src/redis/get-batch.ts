/** Reads of single keys that come in one turn share a script call: what a call costs is mostly the call, not the key. */
import type { StoredEntry } from '../engine.ts'

interface Waiting {
  readonly key: string
  readonly resolve: (entry: StoredEntry | undefined) => void
  readonly reject: (error: unknown) => void
}

/** Values of one answer have about so many bytes, to delay no other call for long. */
const MOST_BYTES = 1024 * 1024
const MOST_KEYS = 128

export class GetBatch {
  /** One snapshot: what is stored of each key, `null` where nothing is. */
  readonly #read: (keys: readonly string[]) => Promise<readonly unknown[]>
  readonly #decode: (key: string, stored: unknown) => StoredEntry | undefined
  #waiting: Waiting[] = []
  #keysAtOnce = MOST_KEYS

  constructor(read: (keys: readonly string[]) => Promise<readonly unknown[]>, decode: (key: string, stored: unknown) => StoredEntry | undefined) {
    this.#read = read
    this.#decode = decode
  }

  get(key: string): Promise<StoredEntry | undefined> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.length === 0) queueMicrotask(() => this.#flush())
      this.#waiting.push({ key, resolve, reject })
    })
  }

  #flush(): void {
    const all = this.#waiting
    this.#waiting = []
    for (let from = 0; from < all.length; from += this.#keysAtOnce) void this.#answer(all.slice(from, from + this.#keysAtOnce))
  }

  async #answer(part: readonly Waiting[]): Promise<void> {
    let stored: readonly unknown[]
    try {
      stored = await this.#read(part.map(({ key }) => key))
    } catch (error) {
      for (const { reject } of part) reject(error)
      return
    }
    let bytes = 0
    part.forEach(({ key, resolve, reject }, index) => {
      try {
        const entry = this.#decode(key, stored[index])
        bytes += entry?.value.length ?? 0
        resolve(entry)
      } catch (error) {
        reject(error)
      }
    })
    this.#keysAtOnce = Math.min(Math.max(Math.floor((MOST_BYTES * part.length) / Math.max(bytes, 1)), 1), MOST_KEYS)
  }
}
