/** What clients ask about the nodes behind the proxy: GetMetrics, GetReplicas and LoadBalance. */
import { formatTimestamptz } from '../codec/index.ts'
import type { MetaReader } from '../coordinator/api.ts'
import type { CollectionMeta } from '../model/meta.ts'
import { DEFAULT_RESOURCE_GROUP } from '../model/resource-group.ts'
import type { ReplicaRecord } from '../model/target.ts'
import type { QueryNodes } from '../node/query-role.ts'
import type { QueryNodeApi } from '../querynode/api.ts'
import type { WireHandlers } from '../server/handlers.ts'
import { MilvusError, success } from '../server/status.ts'
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
  /** Where there are several query nodes. */
  readonly queryNodes: QueryNodes
  readonly version: string
  readonly now: () => number
  readonly usage: () => SystemUsage
  /** Where roles are in several processes: all of them. */
  readonly processes?: (() => Promise<readonly NodeProcess[]>) | undefined
}

/** A role of a process, as GetMetrics shows it. */
export interface NodeProcess {
  readonly role: string
  readonly id: bigint
  /** Undefined for the only process of a node that is alone. */
  readonly address?: string | undefined
  readonly version: string
  /** Milvus's name of it: `Healthy`, `StandBy`, `Stopping`, `Abnormal`. */
  readonly state?: string | undefined
  /** What the process says of itself; why it does not say it. */
  readonly told: { readonly usage: SystemUsage; readonly createdAt: number } | { readonly reason: string }
}

/** Roles of a standalone node, as Milvus names them, in the order of their ids. */
const OWN_ID = 1n
const ROLES = ['rootcoord', 'proxy', 'querynode', 'datanode', 'indexnode'] as const

export function createNodeInfoHandlers(options: NodeInfoOptions): WireHandlers {
  const { meta, queryNode, queryNodes } = options
  const startedAt = options.now()
  const ownProcess = async (): Promise<readonly NodeProcess[]> =>
    ROLES.flatMap((role) => (role === 'querynode' ? queryNodes.nodeIds() : [OWN_ID]).map((id) => ({ role, id, version: options.version, told: { usage: options.usage(), createdAt: startedAt } })))
  const processes = options.processes ?? ownProcess
  const deployMode = options.processes === undefined ? 'STANDALONE' : 'DISTRIBUTED'
  return {
    GetMetrics: {
      kind: 'dql',
      async run(request) {
        const type = metricType(request.request)
        if (type !== 'system_info') throw new MilvusError(1100, `sorry, but this metric type is not implemented: ${type.slice(0, 80)}`)
        const nodes_info = (await processes()).map((one) => nodeInfo(one, deployMode, options.now()))
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
        const records = queryNodes.placement?.replicas(collection.id) ?? [aloneReplica(collection, queryNode.nodeId)]
        return { replicas: records.map((record) => replicaOf(record, load.partitionIds, request.with_shard_nodes)) }
      },
    },
    /** With one query node there is nowhere to move a segment to. */
    LoadBalance: {
      kind: 'ddl',
      async run(request, call) {
        const collection = meta.collection(call.dbName, request.collectionName)
        const nodeIds = queryNodes.nodeIds()
        if (!nodeIds.includes(request.src_nodeID)) throw new MilvusError(1100, `node not found[node=${request.src_nodeID}]`)
        const other = request.dst_nodeIDs.find((id) => !nodeIds.includes(id))
        if (other !== undefined) throw new MilvusError(1100, `destination node not found[node=${other}]`)
        if (queryNodes.placement === undefined) throw new MilvusError(65535, 'there is only one query node, its segments cannot be moved')
        await queryNodes.placement.moveSegments(collection.id, request.src_nodeID, request.dst_nodeIDs, request.sealed_segmentIDs)
        return success()
      },
    },
  }
}

/** The one replica of a collection that one node serves; its id is the collection's. */
function aloneReplica({ id, shards }: CollectionMeta, nodeId: bigint): ReplicaRecord {
  const current = { version: 0, partitionIds: [], wholeCollection: true, shards: shards.map(({ vchannel }) => ({ vchannel, leader: nodeId, flushedTs: 0n })), segments: [] }
  return { replicaId: id, collectionId: id, resourceGroup: DEFAULT_RESOURCE_GROUP, nodeIds: [nodeId], current, next: undefined, retired: [], lastVersion: 0 }
}

function replicaOf({ replicaId, collectionId, resourceGroup, nodeIds, current, next }: ReplicaRecord, partition_ids: readonly bigint[], withNodes: boolean): Init<ReplicaInfo> {
  const target = current ?? next
  const holders = (vchannel: string): bigint[] => [...new Set(target?.segments.flatMap((place) => (place.vchannel === vchannel ? [place.nodeId] : [])))]
  return {
    replicaID: replicaId,
    collectionID: collectionId,
    partition_ids,
    shard_replicas: target?.shards.map(({ vchannel, leader }) => ({ leaderID: leader, dm_channel_name: vchannel, node_ids: withNodes ? [...new Set([leader, ...holders(vchannel)])] : [] })) ?? [],
    node_ids: nodeIds,
    resource_group_name: resourceGroup,
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

function nodeInfo({ role, id: nodeId, address, version, state, told }: NodeProcess, deploy_mode: string, now: number): object {
  const id = Number(nodeId)
  const time = (ms: number): string => formatTimestamptz(BigInt(Math.floor(ms)) * 1000n)
  const { usage, createdAt } = 'usage' in told ? told : { usage: undefined, createdAt: undefined }
  return {
    identifier: id,
    connected: [],
    infos: {
      has_error: 'reason' in told,
      error_reason: 'reason' in told ? told.reason : '',
      name: `${role}${id}`,
      type: role,
      id,
      ...(state === undefined ? {} : { state }),
      created_time: createdAt === undefined ? '' : time(createdAt),
      updated_time: time(now),
      hardware_infos: {
        ...(address === undefined ? {} : { ip: address }),
        cpu_core_count: usage?.processors ?? 0, memory: usage?.memoryBytes ?? 0, memory_usage: usage?.usedMemoryBytes ?? 0,
      },
      system_info: { system_version: version, deploy_mode, build_version: version },
    },
  }
}
