/** What Milvus asks of the parameters of scalar indexes, with its wording. */
import { DataType, type FieldSchema } from '../model/schema.ts'
import { Code, MilvusError } from '../server/status.ts'

type Params = Readonly<Record<string, string>>

const CASTS = ['BOOL', 'DOUBLE', 'VARCHAR', 'ARRAY_BOOL', 'ARRAY_DOUBLE', 'ARRAY_VARCHAR', 'JSON']

function invalid(message: string): MilvusError {
  return new MilvusError(Code.ParameterInvalid, message)
}

/** @param flat lower case names, those under `params` too. Throws MilvusError 1100. */
export function checkScalarParams(field: FieldSchema, indexType: string, flat: Params): void {
  const cast = flat['json_cast_type']?.trim().toUpperCase()
  const isGrams = indexType === 'NGRAM'
  if (field.type === DataType.JSON) {
    if (cast === undefined) throw invalid(isGrams ? 'JSON field with ngram index must specify json_cast_type' : 'json index must specify cast type')
    if (isGrams && cast !== 'VARCHAR') throw invalid(`JSON field with ngram index only supports VARCHAR cast type, got: ${cast}`)
    if (!CASTS.includes(cast)) throw invalid(`json_cast_type ${cast} is not supported`)
  }
  if (isGrams) checkGrams(flat)
}

function checkGrams({ min_gram: least, max_gram: most }: Params): void {
  if (least === undefined || most === undefined) throw invalid('Ngram index must specify both min_gram and max_gram')
  const min = integer('min_gram', least)
  const max = integer('max_gram', most)
  if (min <= 0 || max <= 0 || min > max) throw invalid(`invalid min_gram or max_gram value for Ngram index, min_gram: ${min}, max_gram: ${max}`)
}

function integer(name: string, text: string): number {
  if (!/^[-+]?\d{1,9}$/.test(text)) throw invalid(`${name} for Ngram index must be an integer, got: ${text}`)
  return Number(text)
}
