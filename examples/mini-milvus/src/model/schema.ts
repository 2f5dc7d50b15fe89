/** Collections as the node knows them: the same shapes in every role, in the log and in the metadata store. */
import type { FunctionMeta } from './functions.ts'

/** Milvus's data types, by the numbers of its protobuf enum. */
export const DataType = {
  None: 0,
  Bool: 1,
  Int8: 2,
  Int16: 3,
  Int32: 4,
  Int64: 5,
  Float: 10,
  Double: 11,
  String: 20,
  VarChar: 21,
  Array: 22,
  JSON: 23,
  Geometry: 24,
  Text: 25,
  Timestamptz: 26,
  BinaryVector: 100,
  FloatVector: 101,
  Float16Vector: 102,
  BFloat16Vector: 103,
  SparseFloatVector: 104,
  Int8Vector: 105,
  /** A sub-field of an array of structs: a list of vectors a row. */
  ArrayOfVector: 106,
  ArrayOfStruct: 200,
  Struct: 201,
} as const

export type DataTypeName = keyof typeof DataType
export type DataType = (typeof DataType)[DataTypeName]

const names = new Map<number, DataTypeName>(Object.entries(DataType).map(([name, value]) => [value, name as DataTypeName]))

/** The enum's name of a type's number, `Unknown(n)` for one that Milvus does not have. */
export function dataTypeName(type: number): string {
  return names.get(type) ?? `Unknown(${type})`
}

/** One vector a row. */
export function isVectorType(type: number): boolean {
  return type >= DataType.BinaryVector && type < DataType.ArrayOfVector
}

/** Whether vectors of the field can be searched for: one a row, or a list of them. */
export function isSearchable({ type }: Pick<FieldSchema, 'type'>): boolean {
  return type >= DataType.BinaryVector && type <= DataType.ArrayOfVector
}

/** A default value: what its field's type holds. JSON is its text. */
export type ScalarValue = boolean | number | bigint | string

export interface FieldSchema {
  /** 100 and up, in order of creation. */
  readonly id: number
  /** Of a sub-field of an array of structs `struct[sub]`. */
  readonly name: string
  readonly description: string
  readonly type: DataType
  /** Of an Array, and of an ArrayOfVector. */
  readonly elementType?: DataType | undefined
  readonly isPrimary: boolean
  readonly autoId: boolean
  readonly isPartitionKey: boolean
  readonly isClusteringKey: boolean
  /** The hidden `$meta` field that holds undeclared keys as JSON. */
  readonly isDynamic: boolean
  readonly nullable: boolean
  readonly defaultValue?: ScalarValue | undefined
  /** Dimensions of a dense vector. */
  readonly dim?: number | undefined
  /** Bytes of a VarChar, or of one element of an Array of VarChar. */
  readonly maxLength?: number | undefined
  /** Of a sub-field: the name of its array of structs. */
  readonly struct?: string | undefined
  /** Elements of an Array. */
  readonly maxCapacity?: number | undefined
  /** All type params as the client gave them (strings), for describe. */
  readonly typeParams: Readonly<Record<string, string>>
  readonly indexParams: Readonly<Record<string, string>>
}

/** What an array of structs has beside its sub-fields. */
export interface StructMeta {
  readonly id: number
  readonly name: string
  readonly description: string
  /** A row may have null instead of a list. All sub-fields are nullable then, and null together. */
  readonly nullable: boolean
  /** As the client gave them, for describe. */
  readonly typeParams: Readonly<Record<string, string>>
}

export interface CollectionSchema {
  readonly name: string
  readonly description: string
  /** User fields in order of creation, `$meta` last. */
  readonly fields: readonly FieldSchema[]
  readonly enableDynamicField: boolean
  /** Arrays of structs, in order of creation. Their sub-fields stand among `fields`: an Array or ArrayOfVector each. */
  readonly structs?: readonly StructMeta[] | undefined
  /** In order of creation; their output fields are no client's to write. */
  readonly functions?: readonly FunctionMeta[] | undefined
}

export const DYNAMIC_FIELD_NAME = '$meta'
export const FIRST_FIELD_ID = 100

export function primaryField(schema: CollectionSchema): FieldSchema {
  const field = schema.fields.find((candidate) => candidate.isPrimary)
  if (field === undefined) throw new Error(`collection ${schema.name} has no primary field`)
  return field
}

export function dynamicField(schema: CollectionSchema): FieldSchema | undefined {
  return schema.fields.find((field) => field.isDynamic)
}

/** Bytes of one row of a dense vector field. */
export function vectorBytes(type: DataType, dim: number): number {
  switch (type) {
    case DataType.FloatVector:
      return dim * 4
    case DataType.Float16Vector:
    case DataType.BFloat16Vector:
      return dim * 2
    case DataType.Int8Vector:
      return dim
    case DataType.BinaryVector:
      return dim >>> 3
    default:
      throw new TypeError(`${dataTypeName(type)} is not a dense vector type`)
  }
}
