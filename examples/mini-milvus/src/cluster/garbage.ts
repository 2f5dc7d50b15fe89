/**
 * The leader's broom: files of segments that the catalog no longer names. Others may still be reading one that was replaced, or be
 * about to report one that nobody knows yet, so that a file goes only when it was nobody's for a while.
 */
import type { MetaReader } from '../coordinator/api.ts'
import type { NodeClock } from '../edge/system.ts'
import type { ObjectStorage } from '../storage/index.ts'

export interface GarbageOptions {
  readonly meta: MetaReader
  readonly storage: ObjectStorage
  readonly clock: NodeClock
  /** How long a file must have been nobody's. */
  readonly graceMs: number
  /** Segments that were written by imports that have not been committed yet. */
  readonly pending: () => ReadonlySet<bigint>
  /** Runs alone: no report is taken meanwhile. */
  readonly alone: (run: () => Promise<void>) => Promise<void>
  readonly onProblem: (message: string, error: unknown) => void
}

const MAX_SWEPT = 100_000

export class ClusterGarbage {
  readonly #options: GarbageOptions
  /** Files that were found to be nobody's, and when first. */
  #suspects = new Map<string, number>()
  /** Segments whose files are gone, or going: a report that comes now comes too late. */
  readonly #swept = new Set<bigint>()
  #cancelTimer: (() => void) | undefined
  #running: Promise<void> = Promise.resolve()
  #closed = false

  constructor(options: GarbageOptions) {
    this.#options = options
    this.#schedule()
  }

  isSwept(segmentId: bigint): boolean {
    return this.#swept.has(segmentId)
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#cancelTimer?.()
    await this.#running
  }

  #schedule(): void {
    const { clock, graceMs, onProblem } = this.#options
    if (this.#closed) return
    this.#cancelTimer = clock.setTimer(() => {
      this.#running = this.#sweep()
        .catch((error: unknown) => onProblem('files of nobody could not be removed', error))
        .finally(() => this.#schedule())
    }, Math.max(1, Math.ceil(graceMs / 2)))
  }

  async #sweep(): Promise<void> {
    const { meta, storage, clock, graceMs } = this.#options
    const now = clock.monotonic()
    const found = new Map<string, number>()
    const files = await storage.list('segments/')
    const pending = this.#options.pending()
    for (const { key } of files) {
      const [, , segment] = key.split('/')
      if (segment === undefined || !/^\d+$/.test(segment) || meta.segment(BigInt(segment)) !== undefined || pending.has(BigInt(segment))) continue
      found.set(key, this.#suspects.get(key) ?? now)
    }
    this.#suspects = found
    for (const [key, since] of found) {
      if (this.#closed) return
      if (now - since < graceMs) continue
      if (await this.#claim(BigInt(key.split('/')[2] ?? 0))) await storage.delete(key)
      found.delete(key)
    }
  }

  /** False when it was reported a moment ago. */
  async #claim(segmentId: bigint): Promise<boolean> {
    const { meta, alone, pending } = this.#options
    await alone(async () => {
      if (meta.segment(segmentId) === undefined && !pending().has(segmentId)) this.#swept.add(segmentId)
    })
    const [oldest] = this.#swept
    if (this.#swept.size > MAX_SWEPT && oldest !== undefined) this.#swept.delete(oldest)
    return this.#swept.has(segmentId)
  }
}
