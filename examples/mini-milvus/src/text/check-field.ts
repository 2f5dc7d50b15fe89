import { DataType, type FieldSchema } from '../model/schema.ts'
import { invalid } from '../server/status.ts'
import { fieldAnalyzer, hasFlag } from './analyzer.ts'

const FLAGS = ['enable_analyzer', 'enable_match'] as const
const PARAMS = ['analyzer_params', 'multi_analyzer_params'] as const

/**
 * What a field says of its text must fit together.
 * @param isInput a BM25 function reads it
 * @throws MilvusError 1100
 */
export function checkTextField(field: FieldSchema, isInput = false): void {
  for (const flag of FLAGS) {
    const value = field.typeParams[flag]
    if (value !== undefined && !/^(?:true|false)$/i.test(value)) throw invalid(`the value for ${flag} of field ${field.name} must be a boolean, got ${JSON.stringify(value.slice(0, 80))}`)
  }
  const isText = field.type === DataType.VarChar
  if (!isText && FLAGS.some((flag) => hasFlag(field, flag))) throw invalid(`field ${field.name}: only VarChar fields can enable an analyzer or match`)
  if (!isText) return
  if (!hasFlag(field, 'enable_analyzer')) {
    if (isInput || hasFlag(field, 'enable_match')) throw invalid(`field ${field.name} which has enable_match or is input of BM25 function must also enable_analyzer`)
    return
  }
  if (PARAMS.every((name) => field.typeParams[name] !== undefined)) throw invalid(`field ${field.name} has both analyzer_params and multi_analyzer_params`)
  if (field.typeParams['multi_analyzer_params'] !== undefined) throw invalid(`field ${field.name}: multi_analyzer_params are not served by mini-milvus`)
  fieldAnalyzer(field)
}
