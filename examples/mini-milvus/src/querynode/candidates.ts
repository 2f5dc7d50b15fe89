/** Which rows the indexes of a segment leave for a filter, and whether that is cheaper than to read all. */
import { type BoxProbe, type CompiledFilter, type GramsProbe, type LeafProbe, type NullProbe, type Probe, probedFields } from '../filter/index.ts'
import type { IndexKey } from '../model/json-index.ts'
import { type Ranges, RowList, type SortedIndex } from '../scalar/index.ts'
import type { ScalarIndex, ScalarIndexes } from './scalar-indexes.ts'
import type { SegmentView } from './segment-view.ts'

type Rows = SortedIndex | RowList

interface Part {
  readonly index: Rows
  readonly ranges: Ranges
}

/** All rows that can match are in the parts; a row may be in several, or several times in one. */
export interface Candidates {
  readonly parts: readonly Part[]
  readonly count: number
  /** All of them match. */
  readonly exact: boolean
}

/** In rows of a scan by one comparison: to halve an index down to a value, to mark a row, to copy a row and test it. */
const LOOKUP_COST = 64
const MARK_COST = 4
const TEST_COST = 8

/** Reads the indexes that the filter would ask, where they were not read yet. */
export function openIndexes({ scalarIndexes }: SegmentView, { probe }: CompiledFilter): Promise<unknown> | undefined {
  return probe === undefined ? undefined : scalarIndexes?.open(probedFields(probe))
}

/** Undefined: a scan is better, or there is no index that helps. */
export function findCandidates({ scalarIndexes, length }: SegmentView, { probe, cost }: CompiledFilter): Candidates | undefined {
  if (probe === undefined || scalarIndexes === undefined) return undefined
  const budget = length * cost
  if (lookups(probe) * LOOKUP_COST > budget) return undefined
  const found = candidatesOf(scalarIndexes, probe)
  if (found === undefined) return undefined
  const perRow = MARK_COST + (found.exact ? 0 : TEST_COST + 4 * cost)
  return lookups(probe) * LOOKUP_COST + found.count * perRow < budget ? found : undefined
}

/** What the indexes say, be it worth it or not. */
export function candidatesOf(indexes: Pick<ScalarIndexes, 'get'>, probe: Probe): Candidates | undefined {
  return find(probe, (fieldId) => indexes.get(fieldId))
}

function lookups(probe: Probe): number {
  if (probe.kind === 'leaf') return 2 * probe.spans.list.length
  if (probe.kind === 'null' || probe.kind === 'box') return 1
  if (probe.kind === 'grams') return probe.texts.length
  if (probe.kind === 'either') return Math.max(...probe.options.map(lookups))
  return probe.operands.reduce((sum, operand) => sum + (operand === undefined ? 0 : lookups(operand)), 0)
}

type IndexOf = (fieldId: IndexKey) => ScalarIndex | undefined

function find(probe: Probe, indexOf: IndexOf): Candidates | undefined {
  if (probe.kind === 'leaf') return findLeaf(probe, indexOf)
  if (probe.kind === 'null') return findNulls(probe, indexOf)
  if (probe.kind === 'grams' || probe.kind === 'box') return findRows(probe, indexOf)
  if (probe.kind === 'either') return firstOf(probe.options, indexOf)
  const found = probe.operands.map((operand) => (operand === undefined ? undefined : find(operand, indexOf)))
  const known = found.filter((one) => one !== undefined)
  if (probe.kind === 'and') return narrowest(known, found.length)
  return known.length < found.length ? undefined : union(known)
}

function findLeaf({ fieldId, spans, outside, exact }: LeafProbe, indexOf: IndexOf): Candidates | undefined {
  const index = indexOf(fieldId)
  if (index?.kind !== 'sorted') return undefined
  const inside = index.find(spans)
  return onePart(index, outside ? index.outside(inside) : inside, exact)
}

/** Of lists an index has no place for a row whose list is empty, which is not null. */
function findNulls({ fieldId, outside }: NullProbe, indexOf: IndexOf): Candidates | undefined {
  const index = indexOf(fieldId)
  if (index?.kind !== 'sorted' || (outside && index.isMany)) return undefined
  return outside ? onePart(index, [0, index.length], true) : onePart(index.nulls, [0, index.nulls.length], true)
}

function findRows(probe: GramsProbe | BoxProbe, indexOf: IndexOf): Candidates | undefined {
  const index = indexOf(probe.fieldId)
  const rows = probe.kind === 'grams' ? (index?.kind === 'grams' ? index.find(probe.texts) : undefined) : index?.kind === 'boxes' ? index.find(probe.box) : undefined
  return rows && onePart(new RowList(rows), [0, rows.length], false)
}

/** A field has one index, so that the others know nothing. */
function firstOf(options: readonly Probe[], indexOf: IndexOf): Candidates | undefined {
  for (const option of options) {
    const found = find(option, indexOf)
    if (found !== undefined) return found
  }
  return undefined
}

function onePart(index: Rows, ranges: Ranges, exact: boolean): Candidates {
  return { parts: [{ index, ranges }], count: countOf(ranges), exact }
}

function countOf(ranges: Ranges): number {
  let count = 0
  for (let i = 0; i < ranges.length; i += 2) count += (ranges[i + 1] as number) - (ranges[i] as number)
  return count
}

function union(all: readonly Candidates[]): Candidates {
  return { parts: all.flatMap(({ parts }) => parts), count: all.reduce((sum, { count }) => sum + count, 0), exact: all.every(({ exact }) => exact) }
}

/** Tests of one field meet in its index; of several fields the one that leaves the fewest rows is taken, and the others are to be tested. */
function narrowest(known: readonly Candidates[], operands: number): Candidates | undefined {
  const met = new Map<Rows, Candidates>()
  const rest: Candidates[] = []
  for (const one of known) {
    const [part, ...others] = one.parts
    if (part === undefined || others.length > 0 || part.index.isMany) {
      rest.push(one)
      continue
    }
    const before = met.get(part.index)?.parts[0]
    const exact = one.exact && (met.get(part.index)?.exact ?? true)
    met.set(part.index, before === undefined ? one : onePart(part.index, meet(before.ranges, part.ranges), exact))
  }
  const choices = [...met.values(), ...rest]
  const [first] = choices.sort((a, b) => a.count - b.count)
  if (first === undefined) return undefined
  return { ...first, exact: first.exact && choices.length === 1 && known.length === operands }
}

function meet(a: Ranges, b: Ranges): Ranges {
  const both: number[] = []
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    const from = Math.max(a[i] as number, b[j] as number)
    const to = Math.min(a[i + 1] as number, b[j + 1] as number)
    if (from < to) both.push(from, to)
    if ((a[i + 1] as number) < (b[j + 1] as number)) i += 2
    else j += 2
  }
  return both
}
