/** Search and Query as RPC handlers: from the wire's request to the query node's, and back. */
import { encodeQueryResults, encodeSearchResults } from '../codec/index.ts'
import type { HandlerTable, RpcHandler } from '../server/handlers.ts'
import { success } from '../server/status.ts'
import type { HybridSearchRequest, QueryRequest, SearchRequest } from '../wire/index.ts'
import type { DqlOptions } from './dql-context.ts'
import { runHybridSearch } from './hybrid-search.ts'
import { runQuery, type QueryResponse } from './query.ts'
import { runSearch, type SearchResponse } from './search.ts'

export type { DqlOptions } from './dql-context.ts'

/** Responses go from columns to bytes without an object per value. */
export function createDqlHandlers(options: DqlOptions): HandlerTable {
  const search: RpcHandler<SearchRequest, SearchResponse> = {
    kind: 'dql',
    run: (request, call) => runSearch(options, request, call),
    encode: ({ message, fields }) => encodeSearchResults({ ...message, status: success() }, fields),
  }
  const hybrid: RpcHandler<HybridSearchRequest, SearchResponse> = {
    kind: 'dql',
    run: (request, call) => runHybridSearch(options, request, call),
    encode: ({ message, fields }) => encodeSearchResults({ ...message, status: success() }, fields),
  }
  const query: RpcHandler<QueryRequest, QueryResponse> = {
    kind: 'dql',
    run: (request, call) => runQuery(options, request, call),
    encode: ({ message, fields }) => encodeQueryResults({ ...message, status: success() }, fields),
  }
  return { Search: search, HybridSearch: hybrid, Query: query }
}
