/** Plans over JSON paths. A missing path, JSON null or a value of another kind is unknown. */
import type { ColumnOperand, JsonOperand } from './bind.ts'
import type { Constant } from './constants.ts'
import type { Quantity } from './array-plans.ts'
import { findJson, firstElement, isArrayAt, isNullAt, nextElement, preparePath, scalarAt, stringEqualsAt } from './json-scan.ts'
import type { LikeMatcher } from './like.ts'
import { classOf, compareValues, plainValue } from './order.ts'
import type { Value } from './order.ts'
import { FALSE, rowPlan, TRUE, UNKNOWN } from './plan.ts'
import type { Plan, Truth } from './plan.ts'
import { isNullRow, jsonFinder, jsonSlot } from './readers.ts'

type JsonField = JsonOperand | ColumnOperand
const encoder = new TextEncoder()

/** `test` sees the bytes of the value, which is there and not null; `end` is the end of the row. */
function jsonPlan(operand: JsonField, test: (data: Uint8Array, at: number, end: number) => Truth): Plan {
  const path = preparePath(operand.kind === 'json' ? operand.path : [])
  return rowPlan((context) => {
    const { column, find, endOf } = jsonFinder(context, operand.field, path)
    return (row) => {
      const at = find(row)
      return at < 0 || isNullAt(column.data, at) ? UNKNOWN : test(column.data, at, endOf(row))
    }
  })
}

/** Equality with a string, on bytes as long as there are no escapes. */
export function jsonEqualsPlan(operand: JsonOperand, literal: string): Plan {
  const bytes = encoder.encode(literal)
  return jsonPlan(operand, (data, at, end) => {
    if (data[at] !== 0x22) return UNKNOWN
    return (stringEqualsAt(data, at, end, bytes) ?? scalarAt(data, at, end) === literal) ? TRUE : FALSE
  })
}

export function jsonListEqualsPlan(operand: JsonOperand, list: Constant & { kind: 'list' }): Plan {
  return jsonPlan(operand, (data, at, end) => (isArrayAt(data, at) ? (equalsAt(data, at, end, list) ? TRUE : FALSE) : UNKNOWN))
}

function equalsAt(data: Uint8Array, at: number, end: number, constant: Constant): boolean {
  if (constant.kind === 'scalar') {
    const value = scalarAt(data, at, end)
    return value !== undefined && compareValues(value, constant.value) === 0
  }
  if (constant.kind !== 'list' || !isArrayAt(data, at)) return false
  let item = firstElement(data, at, end)
  for (const want of constant.items) {
    if (item < 0 || !equalsAt(data, item, end, want)) return false
    item = nextElement(data, item, end)
  }
  return item < 0
}

export function jsonContainsPlan(operand: JsonField, items: readonly Constant[], quantity: Quantity): Plan {
  return jsonPlan(operand, (data, at, end) => {
    if (!isArrayAt(data, at)) return UNKNOWN
    const contains = (constant: Constant) => {
      for (let item = firstElement(data, at, end); item >= 0; item = nextElement(data, item, end)) if (equalsAt(data, item, end, constant)) return true
      return false
    }
    return (quantity === 'all' ? items.every(contains) : items.some(contains)) ? TRUE : FALSE
  })
}

/** `in` for a JSON path: unknown where no item of the list is of the value's class. */
export function jsonSetPlan(operand: JsonOperand, items: readonly Value[]): Plan {
  const set = new Set(items.map(plainValue))
  const classes = new Set(items.map(classOf))
  return jsonPlan(operand, (data, at, end) => {
    const value = scalarAt(data, at, end)
    if (value === undefined || !classes.has(classOf(value))) return UNKNOWN
    return set.has(plainValue(value)) ? TRUE : FALSE
  })
}

export function jsonLikePlan(operand: JsonOperand, like: LikeMatcher): Plan {
  return jsonPlan(operand, (data, at, end) => {
    const value = data[at] === 0x22 ? scalarAt(data, at, end) : undefined
    if (typeof value !== 'string') return UNKNOWN
    const bytes = encoder.encode(value)
    return like.matches(bytes, 0, bytes.length) ? TRUE : FALSE
  })
}

/** Whether the path leads to a value that is not JSON null; never unknown. */
export function existsPlan(operand: JsonOperand, wanted: boolean): Plan {
  const path = preparePath(operand.path)
  return rowPlan((context) => {
    const { column, slot } = jsonSlot(context, operand.field)
    const { offsets, data } = column
    return (row) => {
      const at = isNullRow(slot, row) ? -1 : findJson(data, offsets[slot.base + row] ?? 0, offsets[slot.base + row + 1] ?? 0, path)
      return (at >= 0 && !isNullAt(data, at)) === wanted ? TRUE : FALSE
    }
  })
}
