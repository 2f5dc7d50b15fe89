/** What a search for lists of vectors looks for: single vectors, each of which finds elements, or lists, which find rows. */
import type { CollectionMeta } from '../model/meta.ts'
import { DataType, type FieldSchema, vectorBytes } from '../model/schema.ts'
import { LIST_PLACEHOLDER } from '../model/structs.ts'
import { MilvusError } from '../server/status.ts'
import type { DqlOptions } from './dql-context.ts'
import type { QueryVectors } from './query-vectors.ts'
import { MAX_TOPK } from './read-params.ts'

/** Whether the field's index compares whole lists. */
export function isListIndex({ meta }: Pick<DqlOptions, 'meta'>, { id }: CollectionMeta, field: FieldSchema): boolean {
  return meta.indexes(id).some(({ fieldId, metricType }) => fieldId === field.id && metricType.startsWith('MAX_SIM'))
}

/** @param type of the placeholder */
export function listQueries(values: readonly Uint8Array[], type: number, field: FieldSchema, ofLists: boolean): QueryVectors {
  const element = field.elementType ?? DataType.None
  const isList = type >= LIST_PLACEHOLDER
  if ((isList ? type - LIST_PLACEHOLDER : type) !== element) throw new MilvusError(1100, `vector type must be the same, field ${field.name} - type ${element}, search info type ${type}`)
  if (isList && !ofLists) throw new MilvusError(1100, `embedding list search on field ${field.name} needs an index of a MAX_SIM metric`)
  if (!isList && ofLists) throw new MilvusError(1100, `the index of field ${field.name} compares lists of vectors: search it with an embedding list`)
  const width = vectorBytes(element, field.dim ?? 0)
  return isList ? wholeLists(values, width) : singleQueries(values, width)
}

export function singleQueries(values: readonly Uint8Array[], width: number): QueryVectors {
  for (const value of values) {
    if (value.length !== width) throw new MilvusError(1100, `vector dimension mismatch, expected vector size(byte) ${width}, actual ${value.length}`)
  }
  const [single] = values
  if (values.length === 1 && single !== undefined) return { queries: single, nq: 1 }
  return { queries: joined(values), nq: values.length }
}

function wholeLists(values: readonly Uint8Array[], width: number): QueryVectors {
  const queryOffsets = new Uint32Array(values.length + 1)
  values.forEach((value, index) => {
    const count = value.length / width
    if (!Number.isInteger(count) || count < 1) throw new MilvusError(1100, `vector dimension mismatch, expected a multiple of vector size(byte) ${width}, actual ${value.length}`)
    if (count > MAX_TOPK) throw new MilvusError(1100, `an embedding list has at most ${MAX_TOPK} vectors, got ${count}`)
    queryOffsets[index + 1] = (queryOffsets[index] as number) + count
  })
  return { queries: joined(values), queryOffsets, nq: values.length }
}

function joined(values: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(values.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const value of values) {
    all.set(value, at)
    at += value.length
  }
  return all
}
