/**
 * Arrays of structs. As in Milvus, each sub-field is a column of lists of its own, named `struct[sub]`; the lists of one row are of one
 * length in all of them. Only at the edges (describe, rows, results) do they become structs again.
 */
import { type CollectionSchema, DataType, type FieldSchema, isVectorType, type StructMeta } from './schema.ts'

export function subFieldName(struct: string, sub: string): string {
  return `${struct}[${sub}]`
}

/** The name within the struct. */
export function nameInStruct({ name, struct }: FieldSchema): string {
  return struct === undefined ? name : name.slice(struct.length + 1, -1)
}

export function structsOf({ structs }: Pick<CollectionSchema, 'structs'>): readonly StructMeta[] {
  return structs ?? []
}

export function findStruct(schema: CollectionSchema, name: string): StructMeta | undefined {
  return schema.structs?.find((struct) => struct.name === name)
}

/** In order of creation; at least one. */
export function subFields({ fields }: Pick<CollectionSchema, 'fields'>, struct: string): readonly FieldSchema[] {
  return fields.filter((field) => field.struct === struct)
}

/** Names that rows may have beside those of the dynamic field. */
export function rowNames(schema: CollectionSchema): Set<string> {
  const names = new Set(structsOf(schema).map(({ name }) => name))
  for (const field of schema.fields) if (!field.isDynamic && field.struct === undefined) names.add(field.name)
  return names
}

/** The type of the vectors that are searched: of a list, that of its elements. */
export function vectorTypeOf(field: Pick<FieldSchema, 'type' | 'elementType'>): DataType {
  return field.type === DataType.ArrayOfVector ? (field.elementType ?? DataType.None) : field.type
}

/** One element of a list as a field of its own: what checks and conversions of single values take. */
export function elementField(field: FieldSchema): FieldSchema {
  return { ...field, type: field.elementType ?? DataType.None, elementType: undefined, defaultValue: undefined, nullable: false }
}

/** A list of values or of vectors. */
export function isListType(type: DataType): boolean {
  return type === DataType.Array || type === DataType.ArrayOfVector
}

/** The type of a list of such elements. */
export function listTypeOf(element: DataType): DataType {
  return isVectorType(element) ? DataType.ArrayOfVector : DataType.Array
}

/** Placeholders of embedding lists in searches have the types of their vectors and so much more. */
export const LIST_PLACEHOLDER = 200
