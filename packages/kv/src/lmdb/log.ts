/** The change log on disk, as watches read it. All reads of one synchronous step see one snapshot. */
import type { Change } from '../engine.ts'
import type { Revision } from '../kv.ts'
import type { ChangeLog } from '../watch-hub.ts'
import { decodeChanges, decodeCounters, STATE_KEY, u64 } from './format.ts'
import type { ReadDatabase } from './reads.ts'

export class DiskLog implements ChangeLog {
  readonly #db: ReadDatabase

  constructor(db: ReadDatabase) {
    this.#db = db
  }

  get compacted(): Revision {
    return decodeCounters(this.#db.meta.get(STATE_KEY)).compacted
  }

  read(from: Revision, upTo: Revision, limit: number): { changes: readonly Change[]; next: Revision | undefined } {
    const found: Change[] = []
    // `from` may lie inside a group, whose key is its first revision.
    const [before] = this.#db.log.getRange({ start: u64(from), limit: 1, reverse: true })
    for (const { value } of this.#db.log.getRange({ start: before?.key ?? u64(from) })) {
      for (const change of decodeChanges(value)) {
        if (change.revision < from) continue
        if (change.revision > upTo) return { changes: found, next: undefined }
        if (found.length >= limit && change.revision !== found.at(-1)?.revision) return { changes: found, next: change.revision }
        found.push(change)
      }
    }
    return { changes: found, next: undefined }
  }
}
