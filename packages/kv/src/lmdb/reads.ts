/** Reads of one synchronous step see one snapshot: the driver renews it only between steps, or when told to. */
import { Columns } from '../columns.ts'
import type { EnginePage, StoredEntry } from '../engine.ts'
import type { Revision } from '../kv.ts'
import type { Database } from './driver.ts'
import { decodeCounters, STATE_KEY } from './format.ts'

/** The part of a database that readers use. */
export type ReadDatabase = Pick<Database, 'data' | 'log' | 'meta' | 'root'>

export function readRevision(db: ReadDatabase): Revision {
  return decodeCounters(db.meta.get(STATE_KEY)).revision
}

export function readEntry(db: ReadDatabase, key: string): StoredEntry | undefined {
  const row = db.data.get(key)
  return row === undefined ? undefined : { key, value: row.value, revision: row.revision }
}

export function readRange(db: ReadDatabase, prefix: string, startAfter: string | undefined, limit: number): EnginePage {
  const pairs = new Columns()
  const revision = readRevision(db)
  const start = startAfter !== undefined && Buffer.compare(Buffer.from(startAfter), Buffer.from(prefix)) > 0 ? startAfter : prefix
  for (const { key, value } of db.data.getRange({ start: start === '' ? '\0' : start })) {
    if (key === startAfter) continue
    if (!key.startsWith(prefix)) break
    if (pairs.size >= limit) return { pairs, revision, more: true }
    pairs.add(key, value.value, value.revision)
  }
  return { pairs, revision, more: false }
}
