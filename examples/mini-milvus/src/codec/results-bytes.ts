/** Results of searches and queries as bytes. What every search has is written by hand: most of a small answer's cost was here. */
import { encodeMessage } from '../wire/index.ts'
import type { IDs, Init, QueryResults, SearchResultData, SearchResults } from '../wire/index.ts'
import { join, packLongs, wrap } from './wire-parts.ts'

const encoder = new TextEncoder()
const FIRST = Uint32Array.of(0)

/** A SearchResults message whose fields are encoded already; `message.results.fields_data` must be empty. */
export function encodeSearchResults(message: Init<SearchResults>, fieldsData: readonly Uint8Array[]): Uint8Array {
  const { results, session_ts, collection_name, ...rest } = message
  const parts = [encodeMessage('milvus.SearchResults', rest)]
  if (results !== undefined && results !== null) parts.push(...wrap(0x12, [...dataParts(results), ...fieldsData.flatMap((bytes) => wrap(0x1a, [bytes]))]))
  parts.push(...textPart(0x1a, collection_name ?? ''), ...longPart(0x20, session_ts ?? 0n))
  return join(parts)
}

/** A QueryResults message whose fields are encoded already; `message.fields_data` must be empty. */
export function encodeQueryResults(message: Init<QueryResults>, fieldsData: readonly Uint8Array[]): Uint8Array {
  return join([encodeMessage('milvus.QueryResults', message), ...fieldsData.flatMap((bytes) => wrap(0x12, [bytes]))])
}

function dataParts(results: Init<SearchResultData>): Uint8Array[] {
  const { num_queries, top_k, scores, ids, topks, output_fields, all_search_count, primary_field_name, ...rare } = results
  const parts = [...longPart(0x08, num_queries ?? 0n), ...longPart(0x10, top_k ?? 0n)]
  if (scores !== undefined && scores !== null && scores.length > 0) parts.push(...wrap(0x22, [new Uint8Array(Float32Array.from(scores).buffer)]))
  if (ids !== undefined && ids !== null) parts.push(...wrap(0x2a, idParts(ids)))
  if (topks !== undefined && topks !== null && topks.length > 0) parts.push(...wrap(0x32, [longs(topks)]))
  for (const name of output_fields ?? []) parts.push(...wrap(0x3a, [encoder.encode(name)]))
  parts.push(...longPart(0x48, all_search_count ?? 0n), ...textPart(0x6a, primary_field_name ?? ''))
  if (Object.keys(rare).length > 0) parts.push(encodeMessage('schema.SearchResultData', rare))
  return parts
}

/** The member of the oneof that is set, empty or not. */
function idParts({ int_id, str_id }: Init<IDs>): Uint8Array[] {
  if (str_id !== undefined && str_id !== null) return wrap(0x12, (str_id.data ?? []).flatMap((text) => wrap(0x0a, [encoder.encode(text)])))
  if (int_id === undefined || int_id === null) return []
  const data = int_id.data ?? []
  return wrap(0x0a, data.length === 0 ? [] : wrap(0x0a, [longs(data)]))
}

function longs(values: readonly bigint[]): Uint8Array {
  return packLongs(BigInt64Array.from(values), Uint32Array.from(values, (_value, row) => row))
}

/** Nothing for zero, which is how it is written. */
function longPart(tag: number, value: bigint): Uint8Array[] {
  if (value === 0n) return []
  return [Uint8Array.of(tag), packLongs(BigUint64Array.of(BigInt.asUintN(64, value)), FIRST)]
}

function textPart(tag: number, text: string): Uint8Array[] {
  return text === '' ? [] : wrap(tag, [encoder.encode(text)])
}
