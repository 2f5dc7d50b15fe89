/** Work that takes long, as rows: what runs now, and the last that ended. */
import type { Row } from 'timetick-insight/embed'

export interface RunningTask {
  /** `db/collectionId/…`, so that only those who see the collection see the task. */
  readonly key: string
  readonly row: Row
}

/** One that ended, seen running or not; with a reason, it failed. */
export interface EndedTask {
  readonly row: Row
  readonly reason?: string | undefined
}

const MAX_ENDED = 50

export class TaskBoard {
  readonly #running = new Map<string, Row>()
  readonly #ended = new Map<string, Row>()
  /** Ends that were known the last time; undefined: never looked. */
  #knownEnds: ReadonlySet<string> | undefined

  /**
   * Tasks that run now; one that ran before and does no longer has ended, well unless `ends` says why not. One that began and
   * ended between two looks runs for one look, so that it is told too; what had ended before the first look is history.
   */
  see(tasks: Iterable<RunningTask>, now: number, ends: ReadonlyMap<string, EndedTask> = new Map()): void {
    const seen = new Map([...tasks].map(({ key, row }) => [key, { ...row, state: 'running' }] as const))
    for (const [key, { row }] of ends) if (this.#knownEnds?.has(key) === false && !seen.has(key) && !this.#running.has(key)) seen.set(key, { ...row, state: 'running' })
    this.#knownEnds = new Set(ends.keys())
    for (const [key, row] of this.#running) if (!seen.has(key)) this.#end(key, { ...row, ...ends.get(key)?.row }, now, ends.get(key)?.reason)
    this.#running.clear()
    for (const [key, row] of seen) {
      this.#running.set(key, row)
      this.#ended.delete(key)
    }
  }

  /** All that is known, the running ones last. */
  rows(): ReadonlyMap<string, Row> {
    return new Map([...this.#ended, ...this.#running])
  }

  #end(key: string, row: Row, now: number, reason: string | undefined): void {
    this.#ended.set(key, { ...row, state: reason === undefined ? 'finished' : 'failed', percent: reason === undefined ? 100 : (row['percent'] ?? null), endedAt: now, ...(reason === undefined ? {} : { reason }) })
    const [oldest] = this.#ended.keys()
    if (this.#ended.size > MAX_ENDED && oldest !== undefined) this.#ended.delete(oldest)
  }
}
