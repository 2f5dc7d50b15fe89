/** The collection whose rows tests stage: `id`, `version` and a vector, in one shard and two partitions. */
import type { CollectionMeta } from '../../src/model/meta.ts'

const plain = { description: '', autoId: false, isPartitionKey: false, isClusteringKey: false, isDynamic: false, nullable: false, indexParams: {}, typeParams: {} }

export const points = {
  id: 1n,
  dbName: 'default',
  schema: { name: 'points', description: '', enableDynamicField: false, fields: [{ ...plain, id: 100, name: 'id', type: 5, isPrimary: true }, { ...plain, id: 101, name: 'version', type: 5, isPrimary: false }, { ...plain, id: 102, name: 'vec', type: 101, dim: 2, isPrimary: false }] },
  shards: [{ vchannel: 'v', pchannel: 'p' }],
  partitions: [{ id: 7n, name: '_default', createdTs: 1n }, { id: 8n, name: 'other', createdTs: 1n }],
  truncatedTs: 0n,
  properties: {},
} as unknown as CollectionMeta
