/** Plans over Array columns: equality with a list, and what they contain. */
import type { FieldSchema } from '../model/schema.ts'
import { compareValues } from './order.ts'
import type { Value } from './order.ts'
import { FALSE, rowPlan, TRUE, UNKNOWN } from './plan.ts'
import type { Plan } from './plan.ts'
import { arraySlot, isNullRow, valueAt } from './readers.ts'

export type Quantity = 'all' | 'any'

export function arrayEqualsPlan(field: FieldSchema, items: readonly Value[]): Plan {
  return arrayPlan(field, (length, at) => length === items.length && items.every((item, i) => isEqual(at(i), item)))
}

export function arrayContainsPlan(field: FieldSchema, items: readonly Value[], quantity: Quantity): Plan {
  const unique = [...new Set(items)]
  return arrayPlan(field, (length, at) => {
    const contains = (item: Value) => {
      for (let i = 0; i < length; i++) if (isEqual(at(i), item)) return true
      return false
    }
    return quantity === 'all' ? unique.every(contains) : unique.some(contains)
  })
}

function isEqual(value: Value | undefined, item: Value): boolean {
  return value !== undefined && compareValues(value, item) === 0
}

function arrayPlan(field: FieldSchema, test: (length: number, at: (index: number) => Value | undefined) => boolean): Plan {
  return rowPlan((context) => {
    const { column, slot } = arraySlot(context, field)
    return (row) => {
      if (isNullRow(slot, row)) return UNKNOWN
      const from = column.offsets[slot.base + row] ?? 0
      const length = (column.offsets[slot.base + row + 1] ?? 0) - from
      return test(length, (index) => valueAt(column.elements, from + index)) ? TRUE : FALSE
    }
  })
}
