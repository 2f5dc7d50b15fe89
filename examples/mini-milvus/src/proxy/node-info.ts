/** What clients ask about the nodes behind the proxy: GetMetrics, GetReplicas and LoadBalance. */
import { formatTimestamptz } from '../codec/index.ts'
import type { MetaReader } from '../coordinator/api.ts'
import type { CollectionMeta } from '../model/meta.ts'
import type { QueryNodeApi } from '../querynode/api.ts'
import type { WireHandlers } from '../server/handlers.ts'
import { MilvusError } from '../server/status.ts'
import type { Init, ReplicaInfo } from '../wire/index.ts'

/** What the process knows of itself and its machine. */
export interface SystemUsage {
  readonly processors: number
  readonly memoryBytes: number
  readonly usedMemoryBytes: number
}

export interface NodeInfoOptions {
  readonly meta: MetaReader
  readonly queryNode: QueryNodeApi
  readonly version: string
  readonly now: () => number
  readonly usage: () => SystemUsage
}

/** Roles of a standalone node, as Milvus names them, in the order of their ids. */
const ROLES = ['rootcoord', 'proxy', 'querynode', 'datanode', 'indexnode'] as const

export function createNodeInfoHandlers(options: NodeInfoOptions): WireHandlers {
  const { meta, queryNode } = options
  const timeNow = (): string => formatTimestamptz(BigInt(Math.floor(options.now())) * 1000n)
  const startedAt = timeNow()
  return {
    GetMetrics: {
      kind: 'dql',
      async run(request) {
        const type = metricType(request.request)
        if (type !== 'system_info') throw new MilvusError(1100, `sorry, but this metric type is not implemented: ${type.slice(0, 80)}`)
        const nodes_info = ROLES.map((role) => nodeInfo(options, role, startedAt, timeNow()))
        return { response: JSON.stringify({ nodes_info }), component_name: 'proxy' }
      },
    },
    GetReplicas: {
      kind: 'dql',
      async run(request, call) {
        const { collection_name: name, collectionID: id } = request
        const collection = name === '' ? meta.collectionById(id) : meta.collection(call.dbName, name)
        if (collection === undefined) throw new MilvusError(100, `collection not found[collection=${id}]`)
        const load = meta.load(collection.id)
        if (load === undefined) throw new MilvusError(101, `collection not loaded[collection=${collection.schema.name}]`)
        return { replicas: [replicaOf(collection, load.partitionIds, queryNode.nodeId, request.with_shard_nodes)] }
      },
    },
    /** There is one query node, so there is nowhere to move a segment to. */
    LoadBalance: {
      kind: 'ddl',
      async run(request, call) {
        meta.collection(call.dbName, request.collectionName)
        if (request.src_nodeID !== queryNode.nodeId) throw new MilvusError(1100, `node not found[node=${request.src_nodeID}]`)
        const other = request.dst_nodeIDs.find((id) => id !== queryNode.nodeId)
        if (other !== undefined) throw new MilvusError(1100, `destination node not found[node=${other}]`)
        throw new MilvusError(65535, 'there is only one query node, its segments cannot be moved')
      },
    },
  }
}

/** The one replica of a loaded collection; its id is the collection's. */
function replicaOf(collection: CollectionMeta, partitionIds: readonly bigint[], nodeId: bigint, withNodes: boolean): Init<ReplicaInfo> {
  return {
    replicaID: collection.id,
    collectionID: collection.id,
    partition_ids: partitionIds,
    shard_replicas: collection.shards.map(({ vchannel }) => ({ leaderID: nodeId, dm_channel_name: vchannel, node_ids: withNodes ? [nodeId] : [] })),
    node_ids: [nodeId],
    resource_group_name: '__default_resource_group',
    num_outbound_node: {},
  }
}

function metricType(json: string): string {
  try {
    const value: unknown = JSON.parse(json)
    const { metric_type: type } = (typeof value === 'object' && value !== null ? value : {}) as { metric_type?: unknown }
    if (typeof type === 'string') return type
  } catch {
    // Said below.
  }
  throw new MilvusError(1100, 'failed to decode the request, it should be a JSON object with metric_type')
}

function nodeInfo({ queryNode, usage, version }: NodeInfoOptions, role: (typeof ROLES)[number], createdAt: string, updatedAt: string): object {
  const { processors, memoryBytes, usedMemoryBytes } = usage()
  const id = Number(queryNode.nodeId)
  return {
    identifier: id,
    connected: [],
    infos: {
      has_error: false,
      error_reason: '',
      name: `${role}${id}`,
      type: role,
      id,
      created_time: createdAt,
      updated_time: updatedAt,
      hardware_infos: { cpu_core_count: processors, memory: memoryBytes, memory_usage: usedMemoryBytes },
      system_info: { system_version: version, deploy_mode: 'STANDALONE', build_version: version },
    },
  }
}
