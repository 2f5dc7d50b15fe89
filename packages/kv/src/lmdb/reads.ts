/** Reads of one synchronous step see one snapshot: the driver renews it only between steps, or when told to. */
import { Columns } from '../columns.ts'
import type { EnginePage, StoredEntry } from '../engine.ts'
import type { Revision } from '../kv.ts'
import { compareKeys, endOfPrefix } from '../order.ts'
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
  const { keys, values, revisions } = pairs
  const revision = readRevision(db)
  const isAfter = startAfter !== undefined && compareKeys(startAfter, prefix) >= 0
  const start = isAfter ? startAfter : prefix
  const end = endOfPrefix(prefix)
  // The bounds are the driver's to check: row by row it is cheaper there.
  for (const { key, value } of db.data.getRange({ start: start === '' ? '\0' : start, exclusiveStart: isAfter, ...(end === undefined ? {} : { end }) })) {
    if (keys.length >= limit) return { pairs, revision, more: true }
    keys.push(key)
    values.push(value.value)
    revisions.push(value.revision)
  }
  return { pairs, revision, more: false }
}
