/** Plans over Array columns: equality with a list, and what they contain. */
import { DataType } from '../model/schema.ts'
import type { FieldSchema } from '../model/schema.ts'
import { isStringType } from './bind.ts'
import { compareValues } from './order.ts'
import type { Value } from './order.ts'
import { FALSE, rowPlan, TRUE, UNKNOWN } from './plan.ts'
import type { Plan } from './plan.ts'
import { elementsProbe, logicalProbe } from './probe.ts'
import type { Probe } from './probe.ts'
import type { Spans } from '../scalar/spans.ts'
import { arraySlot, isNullRow, valueAt } from './readers.ts'

export type Quantity = 'all' | 'any'

export function arrayEqualsPlan(field: FieldSchema, items: readonly Value[]): Plan {
  return arrayPlan(field, (length, at) => length === items.length && items.every((item, i) => isEqual(at(i), item)))
}

export function arrayContainsPlan(field: FieldSchema, items: readonly Value[], quantity: Quantity): Plan {
  const unique = [...new Set(items)]
  const plan = arrayPlan(field, (length, at) => {
    const contains = (item: Value) => {
      for (let i = 0; i < length; i++) if (isEqual(at(i), item)) return true
      return false
    }
    return quantity === 'all' ? unique.every(contains) : unique.some(contains)
  })
  return { ...plan, probe: containsProbe(field, unique, quantity) }
}

function containsProbe(field: FieldSchema, items: readonly Value[], quantity: Quantity): Probe | undefined {
  if (quantity === 'any') return elementsProbe(field, points(field, items))
  return items.length === 0 ? undefined : logicalProbe('and', items.map((item) => elementsProbe(field, points(field, [item]))))
}

const encoder = new TextEncoder()

function points(field: FieldSchema, items: readonly Value[]): Spans {
  if (field.elementType === DataType.Int64) return { of: 'int64', list: items.map((item) => ({ low: BigInt(item), high: BigInt(item) })) }
  if (isStringType(field.elementType ?? DataType.None)) {
    const texts = items.map((item) => encoder.encode(String(item)))
    return { of: 'text', list: texts.map((text) => ({ low: text, lowOpen: false, high: text, highOpen: false })) }
  }
  const numbers = new Set(items.map(Number))
  return { of: 'number', list: Array.from(numbers, (value) => ({ low: value, high: value })) }
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
