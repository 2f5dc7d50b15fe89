/** Answers of the scripts, checked and decoded. */
import type { Columns } from '../columns.ts'
import type { Change, StoredEntry } from '../engine.ts'
import { KVError } from '../errors.ts'
import type { Revision } from '../kv.ts'
import { revisionReader } from '../revisions.ts'

const SPACE = 32
const MARK = Buffer.from('E')
const FLAGS = { created: 67, put: 80, removed: 68 } as const

function strange(what: string): KVError {
  return new KVError('KV_CORRUPT', `the server's answer is not what this package stores: ${what}`)
}

export function listOf(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw strange(what)
  return value
}

export function bytesOf(value: unknown, what: string): Buffer {
  if (!Buffer.isBuffer(value)) throw strange(what)
  return value
}

export function textOf(value: unknown, what: string): string {
  return typeof value === 'string' ? value : bytesOf(value, what).toString('utf8')
}

export function revisionOf(value: unknown): Revision {
  const text = textOf(value, 'a revision')
  if (!/^[0-9]{1,20}$/.test(text)) throw strange('a revision')
  return BigInt(text)
}

/** Whether bytes begin with a revision of that length: checked on the bytes, because pages have thousands. */
function areDigits(bytes: Buffer, length: number): boolean {
  for (let at = 0; at < length; at++) {
    const byte = bytes[at] as number
    if (byte < 48 || byte > 57) return false
  }
  return length > 0 && length <= 20
}

/** "<revision> <lease> <value>"; the value is a view of the answer. */
export function entryOf(key: string, packed: unknown): StoredEntry {
  const bytes = bytesOf(packed, 'a row')
  const first = bytes.indexOf(SPACE)
  const second = bytes.indexOf(SPACE, first + 1)
  if (second < 0 || !areDigits(bytes, first)) throw strange('a row')
  return { key, value: bytes.subarray(second + 1), revision: BigInt(bytes.toString('latin1', 0, first)) }
}

/** Adds rows to a page. */
export function rowReader(): (key: string, packed: unknown, pairs: Columns) => void {
  const revisions = revisionReader()
  return (key, packed, pairs) => {
    const bytes = bytesOf(packed, 'a row')
    const first = bytes.indexOf(SPACE)
    const second = bytes.indexOf(SPACE, first + 1)
    if (second < 0 || !areDigits(bytes, first)) throw strange('a row')
    pairs.add(key, bytes.subarray(second + 1), revisions(bytes.toString('latin1', 0, first)))
  }
}

/** One entry of the change log: a part of a revision. */
export interface LogPart {
  readonly id: string
  readonly revision: Revision
  /** Parts of the same revision that follow. */
  readonly left: number
  readonly changes: readonly Change[]
  /** Of a mark that the server changed: the last revision that it had then. All above were lost. */
  readonly follows: Revision | undefined
}

export function logPart(entry: unknown): LogPart {
  const [idBytes, fieldList] = listOf(entry, 'a change')
  const id = textOf(idBytes, 'an id')
  const fields = listOf(fieldList, 'a change')
  const revision = revisionOf(id.slice(0, id.indexOf('-')))
  const changes: Change[] = []
  const left = Number(textOf(fields[1], 'a change'))
  if (fields[2] !== undefined && bytesOf(fields[2], 'a changed key').equals(MARK)) return { id, revision, left, changes, follows: revisionOf(fields[3]) }
  for (let index = 2; index < fields.length; index += 2) {
    const name = bytesOf(fields[index], 'a changed key')
    const flag = name[0]
    const value = flag === FLAGS.removed ? undefined : bytesOf(fields[index + 1], 'a changed value')
    changes.push({ key: name.toString('utf8', 1), value, revision, created: flag === FLAGS.created })
  }
  return { id, revision, left, changes, follows: undefined }
}
