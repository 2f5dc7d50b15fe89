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
import { type LeafProbe, logicalProbe, type Probe } from './probe.ts'

const encoder = new TextEncoder()

function probe(operand: JsonOperand, cast: JsonCast, spans: Spans): LeafProbe {
  return { kind: 'leaf', fieldId: jsonIndexKey(operand.field.id, { path: operand.path, cast }), spans, outside: false, exact: false, isMany: false }
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
  const numbers = [...new Set(items.filter((item) => typeof item === 'number' || typeof item === 'bigint').map(Number))]
  const texts = [...new Set(items.filter((item) => typeof item === 'string'))]
  const bools = [...new Set(items.filter((item) => typeof item === 'boolean').map(Number))]
  if (items.length === 0 || numbers.some(Number.isNaN)) return plan
  const point = (value: number): { low: number; high: number } => ({ low: value, high: value })
  const parts = [
    ...(numbers.length === 0 ? [] : [probe(operand, DataType.Double, { of: 'number', list: numbers.map(point) })]),
    ...(texts.length === 0 ? [] : [probe(operand, DataType.VarChar, { of: 'text', list: texts.map((text) => textSpan('==', encoder.encode(text))) })]),
    ...(bools.length === 0 ? [] : [probe(operand, DataType.Bool, { of: 'number', list: bools.map(point) })]),
  ]
  return { ...plan, probe: parts.length === 1 ? parts[0] : logicalProbe('or', parts) }
}

export function probedLike(plan: Plan, operand: JsonOperand, like: LikeMatcher): Plan {
  const span = likeSpan(like)
  return span === undefined ? plan : { ...plan, probe: probe(operand, DataType.VarChar, { of: 'text', list: [span] }) }
}
