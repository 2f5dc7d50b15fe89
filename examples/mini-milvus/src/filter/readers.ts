/** Values row by row, for what is not answered column-wise: JSON paths, elements of arrays, arithmetic, lengths. */
import { addInterval } from '../codec/timestamptz.ts'
import type { ArrayColumn, Column, JsonColumn, ListColumn } from '../model/column.ts'
import { textAt } from '../model/column.ts'
import type { FieldSchema } from '../model/schema.ts'
import { isListType } from '../model/structs.ts'
import { isFloatType, operandType } from './bind.ts'
import type { ArithmeticOperand, FieldOperand, LengthOperand, ShiftedTimeOperand } from './bind.ts'
import { findJson, firstElement, isArrayAt, nextElement, preparePath, scalarAt } from './json-scan.ts'
import type { PreparedPath } from './json-scan.ts'
import type { Value } from './order.ts'
import type { Context, Slot } from './plan.ts'

/** The value of the context's row, undefined where there is none (null, missing, of another kind). */
export type Reader = (row: number) => Value | undefined
export type Prepare = (context: Context) => Reader

export function isNullRow({ column, base }: Slot, row: number): boolean {
  return column.valid !== undefined && column.valid[base + row] === 0
}

export function jsonSlot(context: Context, field: FieldSchema): { column: JsonColumn; slot: Slot } {
  const slot = context.slot(field)
  if (slot.column.kind !== 'json') throw new Error(`field ${field.name} has a column of kind ${slot.column.kind}`)
  return { column: slot.column, slot }
}

export function arraySlot(context: Context, field: FieldSchema): { column: ArrayColumn; slot: Slot } {
  const slot = context.slot(field)
  if (slot.column.kind !== 'array') throw new Error(`field ${field.name} has a column of kind ${slot.column.kind}`)
  return { column: slot.column, slot }
}

export function listSlot(context: Context, field: FieldSchema): { column: ListColumn; slot: Slot } {
  const slot = context.slot(field)
  if (slot.column.kind !== 'array' && slot.column.kind !== 'vectors') throw new Error(`field ${field.name} has a column of kind ${slot.column.kind}`)
  return { column: slot.column, slot }
}

/** Where in the column's bytes the value at a JSON path begins for a row: -1 where there is none. */
export function jsonFinder(context: Context, field: FieldSchema, path: PreparedPath): { column: JsonColumn; find: (row: number) => number; endOf: (row: number) => number } {
  const { column, slot } = jsonSlot(context, field)
  const { offsets, data } = column
  const endOf = (row: number) => offsets[slot.base + row + 1] ?? 0
  return {
    column,
    endOf,
    find: (row) => (isNullRow(slot, row) ? -1 : findJson(data, offsets[slot.base + row] ?? 0, endOf(row), path)),
  }
}

export function prepareField(operand: FieldOperand): Prepare {
  switch (operand.kind) {
    case 'column':
      return (context) => {
        const slot = context.slot(operand.field)
        return (row) => (isNullRow(slot, row) ? undefined : valueAt(slot.column, slot.base + row))
      }
    case 'json': {
      const path = preparePath(operand.path)
      return (context) => {
        const { column, find, endOf } = jsonFinder(context, operand.field, path)
        return (row) => {
          const at = find(row)
          return at < 0 ? undefined : scalarAt(column.data, at, endOf(row))
        }
      }
    }
    case 'element':
      return (context) => {
        const { column, slot } = arraySlot(context, operand.field)
        return (row) => {
          const at = (column.offsets[slot.base + row] ?? 0) + operand.index
          return isNullRow(slot, row) || at >= (column.offsets[slot.base + row + 1] ?? 0) ? undefined : valueAt(column.elements, at)
        }
      }
  }
}

export function valueAt(column: Column, row: number): Value | undefined {
  switch (column.kind) {
    case 'bool':
      return column.values[row] === 1
    case 'number':
    case 'int64':
      return column.values[row]
    case 'string':
      return textAt(column, row)
    default:
      return undefined
  }
}

/** Arithmetic as Milvus does it: int64 that wraps among integers, doubles as soon as one side is a float, and for JSON by each value. */
export function prepareArithmetic({ op, operand, constant }: ArithmeticOperand): Prepare {
  const inner = prepareField(operand)
  const isFloat = isFloatType(operandType(operand)) || typeof constant === 'number'
  return (context) => {
    const read = inner(context)
    return (row) => {
      const value = read(row)
      if (typeof value !== 'number' && typeof value !== 'bigint') return undefined
      const isFraction = isFloat || (typeof value === 'number' && !Number.isSafeInteger(value))
      if (!isFraction && typeof constant === 'bigint') return integerResult(op, BigInt(value), constant)
      return floatResult(op, Number(value), Number(constant))
    }
  }
}

function integerResult(op: ArithmeticOperand['op'], a: bigint, b: bigint): bigint {
  const result = op === '+' ? a + b : op === '-' ? a - b : op === '*' ? a * b : op === '/' ? a / b : a % b
  return BigInt.asIntN(64, result)
}

function floatResult(op: ArithmeticOperand['op'], a: number, b: number): number | undefined {
  const result = op === '+' ? a + b : op === '-' ? a - b : op === '*' ? a * b : op === '/' ? a / b : NaN
  return Number.isNaN(result) ? undefined : result
}

export function prepareLength({ of }: LengthOperand): Prepare {
  if (of.kind === 'column' && isListType(of.field.type)) {
    return (context) => {
      const { column, slot } = listSlot(context, of.field)
      return (row) => (isNullRow(slot, row) ? undefined : (column.offsets[slot.base + row + 1] ?? 0) - (column.offsets[slot.base + row] ?? 0))
    }
  }
  const path = preparePath(of.kind === 'json' ? of.path : [])
  return (context) => {
    const { column, find, endOf } = jsonFinder(context, of.field, path)
    return (row) => {
      const at = find(row)
      if (at < 0 || !isArrayAt(column.data, at)) return undefined
      let length = 0
      for (let item = firstElement(column.data, at, endOf(row)); item >= 0; item = nextElement(column.data, item, endOf(row))) length += 1
      return length
    }
  }
}

export function prepareShiftedTime({ field, interval, sign }: ShiftedTimeOperand): Prepare {
  const inner = prepareField({ kind: 'column', field })
  return (context) => {
    const read = inner(context)
    return (row) => {
      const value = read(row)
      return typeof value === 'bigint' ? addInterval(value, interval, sign) : undefined
    }
  }
}
