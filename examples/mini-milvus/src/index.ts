/** mini-milvus as a library: a whole node in this process. */
export { startMiniMilvus } from './node/start.ts'
export type { MiniMilvus, MiniMilvusOptions } from './node/start.ts'
export type { NodeLogger } from './node/logger.ts'
