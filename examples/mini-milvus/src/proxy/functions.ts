/** Functions of collections, from the wire to the model and back, by Milvus's rules and in its words. */
import { type FunctionMeta, functionsOf } from '../model/functions.ts'
import { type CollectionSchema, DataType, dataTypeName, type FieldSchema } from '../model/schema.ts'
import { Code, invalid, MilvusError } from '../server/status.ts'
import { checkTextField } from '../text/index.ts'
import { type FunctionSchema as WireFunction, FunctionType, type Init } from '../wire/index.ts'
import { toPairs, toRecord } from './rpc-values.ts'

const FIRST_FUNCTION_ID = 100
const typeNames = new Map<number, string>(Object.entries(FunctionType).map(([name, value]) => [value, name]))

/** @param others functions that are there already */
export function functionFromWire(wire: WireFunction, fields: readonly FieldSchema[], others: readonly FunctionMeta[]): FunctionMeta {
  const { name, input_field_names: inputs, output_field_names: outputs } = wire
  if (name === '') throw invalid('function name cannot be empty')
  if (others.some((other) => other.name === name)) throw invalid(`duplicate function name: ${name}`)
  const type = typeNames.get(wire.type)
  if (type === undefined || wire.type === FunctionType.Unknown) throw invalid(`check function params failed: unknown function type of function ${name}`)
  const [input, ...moreInputs] = inputs.map((field) => found(fields, field, 'input'))
  const [output, ...moreOutputs] = outputs.map((field) => found(fields, field, 'output'))
  if (wire.type !== FunctionType.BM25) throw new MilvusError(Code.Unimplemented, `functions of type ${type} are not served by mini-milvus: it calls no models`)
  if (input === undefined || moreInputs.length > 0) throw invalid(`BM25 function should have exactly one input field, but got ${inputs.length}`)
  if (output === undefined || moreOutputs.length > 0) throw invalid(`BM25 function should have exactly one output field, but got ${outputs.length}`)
  if (wire.params.length > 0) throw invalid('BM25 function accepts no params')
  checkInput(name, input)
  checkOutput(name, output)
  if (others.some((other) => other.outputFieldId === output.id)) throw invalid(`duplicate function output field name: function ${name}, field ${output.name}`)
  return {
    id: Math.max(FIRST_FUNCTION_ID - 1, ...others.map(({ id }) => id)) + 1,
    name,
    description: wire.description,
    type: 'BM25',
    inputFieldId: input.id,
    outputFieldId: output.id,
    params: toRecord(wire.params),
  }
}

export function functionsFromWire(wire: readonly WireFunction[], fields: readonly FieldSchema[]): readonly FunctionMeta[] {
  const made: FunctionMeta[] = []
  for (const each of wire) made.push(functionFromWire(each, fields, made))
  return made
}

function found(fields: readonly FieldSchema[], name: string, role: 'input' | 'output'): FieldSchema {
  const field = fields.find((candidate) => candidate.name === name && !candidate.isDynamic)
  if (field === undefined) throw invalid(`function ${role} field not found: ${name}`)
  return field
}

function checkInput(name: string, field: FieldSchema): void {
  if (field.type !== DataType.VarChar) throw invalid(`BM25 function input field must be a VARCHAR/TEXT field, got ${dataTypeName(field.type)}: function ${name}, field ${field.name}`)
  checkTextField(field, true)
}

function checkOutput(name: string, field: FieldSchema): void {
  const wrong = (role: string): MilvusError => invalid(`function output field cannot be ${role}: function ${name}, field ${field.name}`)
  if (field.isPrimary) throw wrong('primary key')
  if (field.isPartitionKey) throw wrong('partition key')
  if (field.isClusteringKey) throw wrong('clustering key')
  if (field.nullable) throw wrong('nullable')
  if (field.type !== DataType.SparseFloatVector) throw invalid(`BM25 function output field must be a SparseFloatVector field, but got ${dataTypeName(field.type)}`)
}

export function functionsToWire(schema: CollectionSchema): Init<WireFunction>[] {
  const nameOf = (id: number): string => schema.fields.find((field) => field.id === id)?.name ?? ''
  return functionsOf(schema).map((each) => ({
    name: each.name,
    id: BigInt(each.id),
    description: each.description,
    type: FunctionType[each.type],
    input_field_names: [nameOf(each.inputFieldId)],
    input_field_ids: [BigInt(each.inputFieldId)],
    output_field_names: [nameOf(each.outputFieldId)],
    output_field_ids: [BigInt(each.outputFieldId)],
    params: toPairs(each.params),
  }))
}
