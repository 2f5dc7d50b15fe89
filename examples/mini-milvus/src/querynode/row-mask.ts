/** Which rows of a segment a request may return: alive, and TRUE under its filter. */
import type { NodeClock } from '../edge/system.ts'
import type { CompiledFilter } from '../filter/index.ts'
import type { PrimaryKey } from '../model/primary-keys.ts'
import { findCandidates, openIndexes } from './candidates.ts'
import { markCandidates } from './indexed-mask.ts'
import type { SegmentView } from './segment-view.ts'
import { turnsOf } from './turns.ts'

export interface RowMask {
  /** One byte a row, 1: may be returned. On shared memory, so that workers read it where it lies. Undefined: every row. */
  readonly bytes: Uint8Array | undefined
  readonly count: number
  /** Rows of the view when the mask was asked for. */
  readonly length: number
  /** Rows whose values, or whose places in an index, were looked at for it. */
  readonly examined: number
}

/** Recent filters of a segment whose masks are kept: a byte per row each. */
const MAX_KEPT = 4

/** What looking a key up costs, in rows of a filter's evaluation. */
const ROWS_PER_KEY = 16

interface Kept {
  readonly mask: RowMask
  readonly deadCount: number
}

/** Rows only come at the end and only die: a mask holds as long as both counts do. */
const kept = new WeakMap<SegmentView, Map<CompiledFilter | undefined, Kept>>()

/**
 * As of the moment of the call: masks that are asked for together go together, whatever is written while a long filter gives the
 * event loop its turns.
 */
export async function rowMask(view: SegmentView, filter: CompiledFilter | undefined, clock: NodeClock): Promise<RowMask> {
  const { length } = view
  const { deadCount } = view.tombstones
  if (filter === undefined && deadCount === 0) return { bytes: undefined, count: length, length, examined: 0 }
  const keys = filter?.primaryKeyBound
  if (filter !== undefined && keys !== undefined && keys.length * ROWS_PER_KEY < length) return keyMask(view, filter, keys)
  let masks = kept.get(view)
  if (masks === undefined) kept.set(view, (masks = new Map<CompiledFilter | undefined, Kept>()))
  const known = masks.get(filter)
  if (known !== undefined && known.deadCount === deadCount && known.mask.length === length) return known.mask
  const mask = filter === undefined ? aliveMask(view) : await filterMask(view, filter, clock)
  masks.delete(filter)
  if (masks.size >= MAX_KEPT) masks.delete(masks.keys().next().value)
  masks.set(filter, { mask, deadCount })
  return mask
}

/** No other keys can match: look them up instead of reading every row. */
function keyMask(view: SegmentView, filter: CompiledFilter, keys: readonly PrimaryKey[]): RowMask {
  const { length, tombstones, keyIndex } = view
  const bytes = sharedBytes(length)
  const bit = Uint8Array.of(1)
  let count = 0
  let examined = 0
  for (const key of new Set(keys)) {
    for (const row of keyIndex.rows(key)) {
      examined++
      if (row >= length || !tombstones.isAlive(row)) continue
      if (filter.primaryKeys === undefined) filter.evaluate(view, row, row + 1, bit)
      if (bit[0] !== 1) continue
      bytes[row] = 1
      count++
    }
  }
  return { bytes, count, length, examined }
}

function aliveMask({ length, tombstones }: SegmentView): RowMask {
  const bytes = sharedBytes(length)
  bytes.set(tombstones.alive.subarray(0, length))
  return { bytes, count: length - tombstones.deadCount, length, examined: length }
}

async function filterMask(view: SegmentView, filter: CompiledFilter, clock: NodeClock): Promise<RowMask> {
  const { length, tombstones } = view
  const alive = tombstones.deadCount > 0 ? tombstones.alive.slice(0, length) : undefined
  const bytes = sharedBytes(length)
  const opening = openIndexes(view, filter)
  if (opening !== undefined) await opening
  const candidates = findCandidates(view, filter)
  const turns = turnsOf(clock)
  if (candidates !== undefined) return { bytes, count: await markCandidates(view, filter, candidates, alive, bytes, turns), length, examined: candidates.count }
  let count = 0
  for (let begin = 0; begin < length; begin += filter.sliceRows) {
    const turn = turns.next()
    if (turn !== undefined) await turn
    const end = Math.min(begin + filter.sliceRows, length)
    const slice = bytes.subarray(begin, end)
    filter.evaluate(view, begin, end, slice)
    count += withoutDead(slice, begin, alive)
  }
  return { bytes, count, length, examined: length }
}

/** @returns how many remain. */
function withoutDead(slice: Uint8Array, begin: number, alive: Uint8Array | undefined): number {
  let count = 0
  if (alive === undefined) {
    for (let row = 0; row < slice.length; row++) count += slice[row] as number
    return count
  }
  for (let row = 0; row < slice.length; row++) count += slice[row] = (slice[row] as number) & (alive[begin + row] as number)
  return count
}

interface Present {
  readonly base: Uint8Array | undefined
  readonly mask: RowMask
}

const present = new WeakMap<SegmentView, Map<number, Present>>()

/** The rows of a mask whose value of a dense vector field is not null: nulls are never hits. */
export function withoutNulls(view: SegmentView, fieldId: number, base: RowMask): RowMask {
  const column = view.column(fieldId)
  if (column?.kind !== 'vector' || column.valid === undefined) return base
  let ofView = present.get(view)
  if (ofView === undefined) present.set(view, (ofView = new Map<number, Present>()))
  const known = ofView.get(fieldId)
  if (known !== undefined && known.base === base.bytes && known.mask.length === base.length) return known.mask
  const bytes = sharedBytes(base.length)
  bytes.set(column.valid.subarray(0, base.length))
  const count = withoutDead(bytes, 0, base.bytes)
  const mask = { ...base, bytes, count }
  ofView.set(fieldId, { base: base.bytes, mask })
  return mask
}

function sharedBytes(length: number): Uint8Array {
  return new Uint8Array(new SharedArrayBuffer(length))
}
