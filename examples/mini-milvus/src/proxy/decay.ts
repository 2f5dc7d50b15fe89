/** Milvus's decay rankers: a hit counts the less, the further a number of its row is from an origin. */
import type { Column } from '../model/column.ts'
import { DataType, type CollectionSchema, type FieldSchema } from '../model/schema.ts'
import { ascendingMetric } from '../querynode/merge-hits.ts'
import { MilvusError } from '../server/status.ts'
import type { FunctionSchema } from '../wire/index.ts'
import { valueAt } from './column-values.ts'
import { normalised } from './rankers.ts'
import { toRecord } from './rpc-values.ts'

export interface Decay {
  readonly field: FieldSchema
  /** 1 near the origin, `decay` at `offset + scale` from it; 0 for a null. */
  factor(column: Column, row: number): number
  /** A score as it is weighed: the better the greater. */
  worth(metric: string, score: number): number
  /** How hybrid search joins the scores of one row. */
  readonly scoreMode: 'max' | 'sum' | 'avg'
}

const NUMBERS: readonly number[] = [DataType.Int8, DataType.Int16, DataType.Int32, DataType.Int64, DataType.Float, DataType.Double, DataType.Timestamptz]

export function createDecay(schema: CollectionSchema, { input_field_names: inputs, params }: FunctionSchema): Decay {
  const [name = ''] = inputs
  if (inputs.length !== 1) throw new MilvusError(1100, `decay function only supports single input, but gets [${inputs.join(', ')}] input`)
  const field = schema.fields.find((candidate) => candidate.name === name)
  if (field === undefined) throw new MilvusError(1100, `function input field not found: ${name}`)
  if (!NUMBERS.includes(field.type)) throw new MilvusError(1100, `decay rerank: unsupported input field type of ${name}, only support numeric field`)
  const given = toRecord(params)
  const number = (key: string, fallback?: number): number => {
    const value = given[key] === undefined || given[key] === '' ? fallback : Number(given[key])
    if (value === undefined || !Number.isFinite(value)) throw new MilvusError(1100, `decay function: expected \`${key}\` to be a number, got ${given[key] ?? 'nothing'}`)
    return value
  }
  const [origin, scale, offset, decay] = [number('origin'), number('scale'), number('offset', 0), number('decay', 0.5)]
  if (scale <= 0) throw new MilvusError(1100, `decay function param: scale must > 0, but got ${scale}`)
  if (offset < 0) throw new MilvusError(1100, `decay function param: offset must => 0, but got ${offset}`)
  if (decay <= 0 || decay >= 1) throw new MilvusError(1100, `decay function param: decay must 0 < decay < 1, but got ${decay}`)
  const curve = curveOf((given['function'] ?? '').toLowerCase(), scale, decay)
  const scoreMode = (given['score_mode'] ?? 'max').toLowerCase()
  if (scoreMode !== 'max' && scoreMode !== 'sum' && scoreMode !== 'avg') throw new MilvusError(1100, `unsupported score mode: ${scoreMode.slice(0, 80)}, only supports: [max, sum, avg]`)
  const isNormalised = given['norm_score']?.toLowerCase() === 'true'
  return {
    field,
    scoreMode,
    worth: (metric, score) => (isNormalised || ascendingMetric(metric) ? normalised(metric, score) : score),
    factor(column, row) {
      const value = valueAt(column, row)
      return value === undefined ? 0 : curve(Math.max(0, Math.abs(Number(value) - origin) - offset))
    },
  }
}

/** All are 1 at 0 and `decay` at `scale`. */
function curveOf(name: string, scale: number, decay: number): (distance: number) => number {
  switch (name) {
    case 'gauss':
      return (distance) => Math.exp((distance * distance * Math.log(decay)) / (scale * scale))
    case 'exp':
      return (distance) => Math.exp((distance * Math.log(decay)) / scale)
    case 'linear':
      return (distance) => Math.max(0, 1 - (distance * (1 - decay)) / scale)
    default:
      throw new MilvusError(1100, `invalid decay function: ${name.slice(0, 80)}, only support [gauss, exp, linear]`)
  }
}
