/** The collections of the simulation of rule `flush`: an id, the version that wrote the row, in one of them a note that partial upserts leave as it is, and a vector. */
import { encodeMessage, type Init, type Rpcs } from '../../src/wire/index.ts'

/** Rows of odd keys are in it, where keys are the client's. */
export const PARTITION = 'odd'
/** What a field that is added later is filled with. */
export const ADDED = 7n

const INT64 = 5

const field = (name: string, more: object = {}) => ({ name, data_type: INT64, ...more })

export function stageCollection(collection_name: string, shards_num: number, autoID: boolean): Init<Rpcs['CreateCollection']['request']> {
  const fields = [
    field('id', { is_primary_key: true, autoID }),
    field('version'),
    ...(autoID ? [] : [field('note')]),
    { name: 'vec', data_type: 101, type_params: [{ key: 'dim', value: '2' }] },
  ]
  return { collection_name, schema: encodeMessage('schema.CollectionSchema', { name: collection_name, fields }), shards_num, properties: [{ key: 'timetick.visibility', value: 'flush' }] }
}

export function addedField(collection_name: string, name: string): Init<Rpcs['AddCollectionField']['request']> {
  return { collection_name, schema: encodeMessage('schema.FieldSchema', { ...field(name, { nullable: true }), default_value: { long_data: ADDED } }) }
}

const long = (field_name: string, data: readonly bigint[]) => ({ type: INT64, field_name, scalars: { long_data: { data } } })

/** A partial upsert names no note and no vector. */
export function noteRows(collection_name: string, ids: readonly number[], version: number, isPartial: boolean): Init<Rpcs['Upsert']['request']> {
  const versions = ids.map(() => BigInt(version))
  const rest = isPartial ? [] : [long('note', versions), { type: 101, field_name: 'vec', vectors: { dim: 2n, float_vector: { data: ids.flatMap((id) => [id, version]) } } }]
  const partition = (ids[0] ?? 0) % 2 === 1 ? { partition_name: PARTITION } : {}
  return { collection_name, num_rows: ids.length, fields_data: [long('id', ids.map(BigInt)), long('version', versions), ...rest], partial_update: isPartial, ...partition }
}

interface Answer {
  readonly ids: readonly string[]
  readonly column: (name: string) => readonly bigint[]
}

/** Of a query or a search. */
export function answerOf(response: Rpcs['Query']['response'] | Rpcs['Search']['response']): Answer {
  const fields = 'results' in response ? (response.results?.fields_data ?? []) : response.fields_data
  const column = (name: string): readonly bigint[] => fields.find(({ field_name }) => field_name === name)?.scalars?.long_data?.data ?? []
  const ids = 'results' in response ? (response.results?.ids?.int_id?.data ?? []) : column('id')
  return { ids: ids.map(String), column }
}
