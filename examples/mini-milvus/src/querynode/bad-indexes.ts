/** Index files that could not be opened: each is told once, and its segment is scanned until there is another. */
import type { SegmentIndexMeta } from '../model/meta.ts'

export class BadIndexes {
  readonly #told = new Set<string>()
  readonly #signal: AbortSignal
  readonly #onBad: (segmentId: bigint, index: SegmentIndexMeta, error: unknown) => void

  constructor(signal: AbortSignal, onBad: (segmentId: bigint, index: SegmentIndexMeta, error: unknown) => void) {
    this.#signal = signal
    this.#onBad = onBad
  }

  tell(segmentId: bigint, built: SegmentIndexMeta, error: unknown): void {
    // A store that does not answer says nothing about the file: it is tried again when the segments are looked at next.
    if (this.#signal.aborted || this.#told.has(built.path) || isPassing(error)) return
    this.#told.add(built.path)
    this.#onBad(segmentId, built, error)
  }
}

function isPassing(error: unknown): boolean {
  return error instanceof Error && 'retryable' in error && error.retryable === true
}
