/** The collection of the simulation as Milvus's messages: an id, the version that wrote the row, and a vector of both. */
import { encodeMessage, type Init, type Rpcs } from '../../src/wire/index.ts'

export function createRequest(collection_name: string, shards_num: number, autoID = false): Init<Rpcs['CreateCollection']['request']> {
  const schema = encodeMessage('schema.CollectionSchema', {
    name: collection_name,
    fields: [
      { name: 'id', data_type: 5, is_primary_key: true, autoID },
      { name: 'version', data_type: 5 },
      { name: 'vec', data_type: 101, type_params: [{ key: 'dim', value: '2' }] },
    ],
  })
  return { collection_name, schema, shards_num }
}

export function indexRequest(collection_name: string): Init<Rpcs['CreateIndex']['request']> {
  return { collection_name, field_name: 'vec', extra_params: [{ key: 'index_type', value: 'HNSW' }, { key: 'metric_type', value: 'L2' }] }
}

export function rowsRequest(collection_name: string, ids: readonly number[], version: number, autoID = false): Init<Rpcs['Insert']['request']> {
  const long = (field_name: string, data: readonly bigint[]) => ({ type: 5, field_name, scalars: { long_data: { data } } })
  return {
    collection_name,
    num_rows: ids.length,
    fields_data: [
      ...(autoID ? [] : [long('id', ids.map(BigInt))]),
      long('version', ids.map(() => BigInt(version))),
      { type: 101, field_name: 'vec', vectors: { dim: 2n, float_vector: { data: ids.flatMap((id) => [id, version]) } } },
    ],
  }
}

export interface Consistency {
  readonly consistency_level: number
  readonly guarantee_timestamp: bigint
}

export const STRONG: Consistency = { consistency_level: 0, guarantee_timestamp: 0n }

export function queryRequest(collection_name: string, expr: string, output_fields: readonly string[], consistency: Consistency): Init<Rpcs['Query']['request']> {
  return { collection_name, expr, output_fields, ...consistency }
}

export function searchRequest(collection_name: string, point: readonly [number, number], limit: number, consistency: Consistency): Init<Rpcs['Search']['request']> {
  const vector = new Uint8Array(Float32Array.from(point).buffer)
  return {
    collection_name,
    nq: 1n,
    output_fields: ['version'],
    placeholder_group: encodeMessage('common.PlaceholderGroup', { placeholders: [{ tag: '$0', type: 101, values: [vector] }] }),
    search_params: [{ key: 'anns_field', value: 'vec' }, { key: 'topk', value: String(limit) }],
    ...consistency,
  }
}

/** Pairs of id and version, as they came. */
export function rowsOfQuery({ fields_data }: Rpcs['Query']['response']): [number, number][] {
  const column = (name: string): readonly bigint[] => fields_data.find(({ field_name }) => field_name === name)?.scalars?.long_data?.data ?? []
  const versions = column('version')
  return column('id').map((id, row) => [Number(id), Number(versions[row])])
}

/** Versions by id, of a query or a search; ids of the server are beyond what numbers hold. */
export function versionsOf(response: Rpcs['Query']['response'] | Rpcs['Search']['response']): [string, number][] {
  const fields = 'results' in response ? (response.results?.fields_data ?? []) : response.fields_data
  const column = (name: string): readonly bigint[] => fields.find(({ field_name }) => field_name === name)?.scalars?.long_data?.data ?? []
  const ids = 'results' in response ? (response.results?.ids?.int_id?.data ?? []) : column('id')
  const versions = column('version')
  return ids.map((id, row) => [String(id), Number(versions[row])])
}

export function hitsOfSearch({ results }: Rpcs['Search']['response']): { readonly id: number; readonly version: number; readonly score: number }[] {
  const ids = results?.ids?.int_id?.data ?? []
  const versions = results?.fields_data.find(({ field_name }) => field_name === 'version')?.scalars?.long_data?.data ?? []
  return ids.map((id, row) => ({ id: Number(id), version: Number(versions[row]), score: results?.scores[row] ?? NaN }))
}
