/** What an index of a JSON path can tell: rows whose value there may match, each to be tested. */
import type { Spans } from '../scalar/spans.ts'
import { type JsonCast, jsonIndexKey } from '../model/json-index.ts'
import { DataType } from '../model/schema.ts'
import type { CompareOperator } from './ast.ts'
import type { JsonOperand } from './bind.ts'
import type { LikeMatcher } from './like.ts'
import type { Value } from './order.ts'
import type { Plan } from './plan.ts'
import { likeSpan, textSpan } from './plan-string.ts'
import type { Quantity } from './array-plans.ts'
import type { Constant } from './constants.ts'
import { eitherProbe, gramsProbe, type LeafProbe, logicalProbe, type Probe } from './probe.ts'

const encoder = new TextEncoder()

function probe(operand: JsonOperand, cast: JsonCast, spans: Spans, isList = false): LeafProbe {
  return { kind: 'leaf', fieldId: jsonIndexKey(operand.field.id, { path: operand.path, cast, isList }), spans, outside: false, exact: false, isMany: isList }
}

/** The index has numbers as doubles: rounding keeps their order, so that closed spans of rounded bounds miss none. */
function valueProbe(operand: JsonOperand, op: CompareOperator, value: Value): Probe | undefined {
  if (op === '!=') return undefined
  if (typeof value === 'string') return probe(operand, DataType.VarChar, { of: 'text', list: [textSpan(op, encoder.encode(value))] })
  if (typeof value === 'boolean') return op === '==' ? probe(operand, DataType.Bool, { of: 'number', list: [{ low: Number(value), high: Number(value) }] }) : undefined
  const bound = Number(value)
  if (Number.isNaN(bound)) return undefined
  const isBelow = op === '<' || op === '<='
  const isAbove = op === '>' || op === '>='
  return probe(operand, DataType.Double, { of: 'number', list: [{ low: isBelow ? -Infinity : bound, high: isAbove ? Infinity : bound }] })
}

export function probedCompare(plan: Plan, operand: JsonOperand, op: CompareOperator, value: Value): Plan {
  return { ...plan, probe: valueProbe(operand, op, value) }
}

export function probedSet(plan: Plan, operand: JsonOperand, items: readonly Value[]): Plan {
  return { ...plan, probe: pointsProbe(operand, items, false) }
}

/** Any of these values. Undefined for none, and where one has no place among the others. */
function pointsProbe(operand: JsonOperand, items: readonly Value[], isList: boolean): Probe | undefined {
  const numbers = [...new Set(items.filter((item) => typeof item === 'number' || typeof item === 'bigint').map(Number))]
  const texts = [...new Set(items.filter((item) => typeof item === 'string'))]
  const bools = [...new Set(items.filter((item) => typeof item === 'boolean').map(Number))]
  if (items.length === 0 || numbers.some(Number.isNaN)) return undefined
  const point = (value: number): { low: number; high: number } => ({ low: value, high: value })
  const parts = [
    ...(numbers.length === 0 ? [] : [probe(operand, DataType.Double, { of: 'number', list: numbers.map(point) }, isList)]),
    ...(texts.length === 0 ? [] : [probe(operand, DataType.VarChar, { of: 'text', list: texts.map((text) => textSpan('==', encoder.encode(text))) }, isList)]),
    ...(bools.length === 0 ? [] : [probe(operand, DataType.Bool, { of: 'number', list: bools.map(point) }, isList)]),
  ]
  return parts.length === 1 ? parts[0] : logicalProbe('or', parts)
}

/** Lists within lists are in no index. */
export function probedContains(plan: Plan, operand: JsonOperand, items: readonly Constant[], quantity: Quantity): Plan {
  const values = items.flatMap((item) => (item.kind === 'scalar' ? [item.value] : []))
  if (quantity === 'any') return values.length < items.length ? plan : { ...plan, probe: pointsProbe(operand, values, true) }
  return { ...plan, probe: logicalProbe('and', values.map((value) => pointsProbe(operand, [value], true))) }
}

export function probedLike(plan: Plan, operand: JsonOperand, like: LikeMatcher): Plan {
  const span = likeSpan(like)
  const grams = gramsProbe(jsonIndexKey(operand.field.id, { path: operand.path, cast: DataType.VarChar, isList: false }), like.literals)
  return { ...plan, probe: eitherProbe(span && probe(operand, DataType.VarChar, { of: 'text', list: [span] }), grams) }
}
