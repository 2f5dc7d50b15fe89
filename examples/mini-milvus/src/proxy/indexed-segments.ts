/** Which segments have an index that is built. */
import type { MetaReader } from '../coordinator/api.ts'
import type { WireHandlers } from '../server/handlers.ts'
import { Code, MilvusError } from '../server/status.ts'

export function createIndexedSegmentHandlers({ meta }: { readonly meta: MetaReader }): WireHandlers {
  return {
    ListIndexedSegment: {
      kind: 'dql',
      async run({ collection_name: name, index_name: indexName }, call) {
        const collection = meta.collection(call.dbName, name)
        const index = meta.indexes(collection.id).find((one) => one.name === indexName)
        if (index === undefined) throw new MilvusError(Code.IndexNotFound, `index not found[indexName=${indexName.slice(0, 300)}]`)
        const built = meta.segments(collection.id).filter(({ indexes }) => indexes.some(({ indexId, state }) => indexId === index.id && state === 'finished'))
        return { segmentIDs: built.map(({ id }) => id) }
      },
    },
  }
}
