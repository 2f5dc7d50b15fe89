/** What an upsert may do to an array instead of replacing it. */
import type { ArrayColumn } from '../model/column.ts'
import { isNull, textAt } from '../model/column.ts'
import { gatherColumn, concatColumns } from './gather.ts'

type ElementColumn = ArrayColumn['elements']

/**
 * Row i: the old row `oldRows[i]` (-1: none) with the elements of the given row i behind it, or without all elements that equal one
 * of them. A null array counts as an empty one.
 */
export function combineArrays(old: ArrayColumn, oldRows: readonly number[], given: ArrayColumn, op: 'array-append' | 'array-remove'): ArrayColumn {
  const elements = concatColumns<ElementColumn>([trimmed(old), trimmed(given)])
  const behind = old.offsets[old.length] as number
  const picked: number[] = []
  const offsets = new Uint32Array(given.length + 1)
  oldRows.forEach((oldRow, row) => {
    const before = oldRow < 0 || isNull(old, oldRow) ? [] : elementsOf(old, oldRow, 0)
    const mine = isNull(given, row) ? [] : elementsOf(given, row, behind)
    if (op === 'array-append') picked.push(...before, ...mine)
    else {
      const removed = new Set(mine.map((at) => elementAt(elements, at)))
      picked.push(...before.filter((at) => !removed.has(elementAt(elements, at))))
    }
    offsets[row + 1] = picked.length
  })
  return { ...given, valid: undefined, offsets, elements: gatherColumn(elements, picked) }
}

/** The elements up to the end of the last row, and no more. */
function trimmed({ elements, offsets, length }: ArrayColumn): ElementColumn {
  const end = offsets[length] as number
  return elements.length === end ? elements : gatherColumn(elements, Uint32Array.from({ length: end }, (_, i) => i))
}

function elementsOf({ offsets }: ArrayColumn, row: number, behind: number): number[] {
  const start = offsets[row] as number
  return Array.from({ length: (offsets[row + 1] as number) - start }, (_, i) => behind + start + i)
}

function elementAt(elements: ElementColumn, at: number): unknown {
  return elements.kind === 'string' ? textAt(elements, at) : elements.values[at]
}
