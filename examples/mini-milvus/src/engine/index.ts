export {
  type AddSetOptions,
  type AttachIndexOptions,
  type BuildIndexOptions,
  type Engine,
  type EngineOptions,
  openEngine,
  type SearchRequest,
} from './engine.ts'
export { ENGINE_ERROR_CODES, EngineError, type EngineErrorCode, isEngineError } from './errors.ts'
export { canIndex } from './native.ts'
export { namedEngine } from './named.ts'
export { isDescending, type Metric } from './metric.ts'
export type { SearchQuery, SearchResult } from './search.ts'
