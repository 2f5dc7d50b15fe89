/** The handlers of a proxy of a cluster: the standalone's, over the catalog's mirror and over other processes. */
import type { GlobalParamsTable } from '@timetick/paramtable'
import type { Clients } from '../clients/clients.ts'
import type { CatalogWriter } from '../coordinator/api.ts'
import { Exporter } from '../coordinator/exporter.ts'
import { systemUsage, type NodeClock } from '../edge/system.ts'
import type { CollectionMeta } from '../model/meta.ts'
import { serverVisibility } from '../node/client-parameters.ts'
import { besideCommits, indexProgress } from '../node/handlers.ts'
import { createCompactionHandlers } from '../proxy/compaction.ts'
import { createDdlHandlers } from '../proxy/ddl.ts'
import { createDmlHandlers } from '../proxy/dml.ts'
import { createDqlHandlers } from '../proxy/dql.ts'
import { withExports } from '../proxy/export.ts'
import { createFlushHandlers } from '../proxy/flush.ts'
import { createImportHandlers } from '../proxy/import.ts'
import { createNodeInfoHandlers } from '../proxy/node-info.ts'
import { createSegmentHandlers } from '../proxy/query-segments.ts'
import { createSegmentLoader } from '../querynode/storage-loader.ts'
import type { AnyHandler, CallContext, HandlerTable, RpcName } from '../server/handlers.ts'
import { Code, MilvusError } from '../server/status.ts'
import type { Staging } from '../staging/staging.ts'
import { version } from '../version.ts'
import { createDmlWriter, type DmlWriter } from '../writer/dml-writer.ts'
import type { ClusterMember } from './member.ts'
import { nodeProcesses } from './node-processes.ts'

export interface ClusterHandlersOptions {
  readonly member: ClusterMember
  readonly staging: Staging
  readonly parameters: GlobalParamsTable
  readonly clock: NodeClock
  readonly clients?: Clients | undefined
  readonly databasesChanged?: (() => Promise<void>) | undefined
}

export function createClusterWriter({ channels }: Pick<ClusterMember, 'channels'>, clock: NodeClock): DmlWriter {
  return createDmlWriter(channels, () => clock.yieldToLoop())
}

export function createClusterHandlers(options: ClusterHandlersOptions): HandlerTable {
  const { member, parameters, clock, staging } = options
  const { mirror, channels, queryNodes: queryNode, ids, timestamps } = member
  const now = (): Promise<bigint> => timestamps.allocOne()
  const writer = createClusterWriter(member, clock)
  const serverRule = serverVisibility(parameters)
  const pchannelsOf = (collection: CollectionMeta): string[] => [...new Set(collection.shards.map(({ pchannel }) => pchannel))]
  const flushShard = async ({ collectionId, vchannel }: { readonly collectionId: bigint; readonly vchannel: string }, ts: bigint): Promise<void> => {
    const shard = mirror.collectionById(collectionId)?.shards.find((one) => one.vchannel === vchannel)
    if (shard !== undefined) await channels.flushShard({ collectionId, vchannel, pchannel: shard.pchannel }, ts)
  }
  const compactor = {
    request: async (id: bigint, collectionId: bigint) => {
      const collection = mirror.collectionById(collectionId)
      return collection !== undefined && channels.compact(pchannelsOf(collection), id, collectionId)
    },
    requested: (id: bigint) => channels.compaction(id),
  }
  // Files that were replaced meanwhile stay for `cluster.garbageGrace`: nothing else holds them for an export.
  const exporter = new Exporter({
    meta: mirror, loader: createSegmentLoader(member.stores.storage), clock, allocateId: () => ids.allocOne(), allocateTs: now, hold: () => () => undefined,
    async flush({ id, shards }, ts) {
      await Promise.all(shards.map(({ vchannel }) => flushShard({ collectionId: id, vchannel }, ts)))
    },
  })
  const catalog: CatalogWriter = member.coordinator.catalog
  const handlers: HandlerTable = {
    ...besideCommits(staging, createDdlHandlers({
      meta: mirror,
      catalog,
      timestamps,
      progress: {
        rowCount: async (collection, partitionId) => channels.rows(pchannelsOf(collection), collection.id, partitionId, await now()),
        loadProgress(collection) {
          const progress = queryNode.loadProgress(collection.id)
          return progress === undefined || progress.failure !== undefined ? 0 : progress.percent
        },
        indexProgress: (collection, index) => indexProgress(mirror, collection, index),
      },
      version: `mini-milvus-${version}`,
      clock,
      health: () => member.health(),
      maxReplicas: () => queryNode.nodeIds().length || 1,
      databasesChanged: options.databasesChanged,
      serverVisibility: serverRule,
      hasStagedWork: (id) => member.stills.hasStagedWork(id),
      whileStill: (ids, work) => member.stills.whileStill(ids, work),
      onConnect: (identifier, info, call) => options.clients?.connected(identifier, info, call),
      onHeartbeat: (identifier, call) => options.clients?.heartbeat(identifier, call),
    })),
    ...createDmlHandlers({ meta: mirror, writer, queryNode, staging, visibility: serverRule, ids, now, pause: () => clock.yieldToLoop() }),
    ...withExports(createDqlHandlers({ meta: mirror, queryNode, now, pause: () => clock.yieldToLoop(), gracefulTimeMs: parameters.getDurationMs('common.gracefulTime'), iteratorKeepMs: parameters.getDurationMs('proxy.iteratorTimeout'), lastWrite: (id) => writer.lastWrite(id), lastCommit: (id) => staging.lastCommit(id) }), { meta: mirror, exporter: () => exporter }),
    ...createFlushHandlers({ meta: mirror, now, flushShard, wallClock: () => clock.now(), staging }),
    ...createSegmentHandlers({ meta: mirror, queryNode }),
    ...createCompactionHandlers({ meta: mirror, compactor: () => compactor, allocateId: () => ids.allocOne(), segmentBytes: () => parameters.getBytes('dataNode.sealBytes') }),
    ...createImportHandlers({ meta: mirror, importer: () => member.coordinator.imports }),
    ...createNodeInfoHandlers({ meta: mirror, queryNode, queryNodes: queryNode, version: `mini-milvus-${version}`, now: () => clock.now(), usage: systemUsage, processes: () => nodeProcesses(member) }),
  }
  return withFreshMeta(handlers, member)
}

/** What is not there, as far as this proxy knows: another proxy may have made it a moment ago. */
const NOT_FOUND: ReadonlySet<number> = new Set([Code.CollectionNotFound, Code.PartitionNotFound, Code.IndexNotFound, Code.DatabaseNotFound, Code.AliasNotFound, Code.CollectionNotLoaded, Code.PartitionNotLoaded, Code.SegmentNotFound])
/** What says "no" or lists without an error. */
const ALWAYS_FRESH: ReadonlySet<string> = new Set<RpcName>(['HasCollection', 'HasPartition', 'ShowCollections', 'ShowPartitions', 'ListDatabases', 'ListAliases', 'GetFlushState', 'GetFlushAllState', 'GetPersistentSegmentInfo', 'GetIndexState', 'GetIndexBuildProgress', 'DescribeIndex', 'GetLoadState', 'GetLoadingProgress'])
/** What shows the query nodes' memory. */
const OF_MEMORY: ReadonlySet<string> = new Set<RpcName>(['GetLoadState', 'GetLoadingProgress', 'ShowCollections', 'ShowPartitions', 'GetQuerySegmentInfo', 'GetReplicas'])

/**
 * A handler that finds something missing looks again when this proxy has caught up with the store. Without its lease a proxy serves
 * nobody: others do not wait any more until it knows what they changed.
 */
export function withFreshMeta(handlers: HandlerTable, { mirror, membership, queryNodes }: Pick<ClusterMember, 'mirror' | 'membership' | 'queryNodes'>): HandlerTable {
  const fresh = (rpc: string, handler: AnyHandler): AnyHandler => {
    const run = handler.run.bind(handler) as (request: object, call: CallContext) => Promise<object>
    return {
      ...handler,
      async run(request: never, call: CallContext): Promise<object> {
        assertLive(membership)
        if (ALWAYS_FRESH.has(rpc)) await mirror.catchUp(call.signal)
        if (OF_MEMORY.has(rpc)) await queryNodes.refresh(call.signal)
        if (rpc === 'GetQuerySegmentInfo') await queryNodes.look(mirror.collections().map(({ id }) => id))
        try {
          return await run(request, call)
        } catch (error) {
          if (!(error instanceof MilvusError) || !NOT_FOUND.has(error.code)) throw error
          await mirror.catchUp(call.signal)
          await queryNodes.catchUp(call.signal)
          return run(request, call)
        }
      },
    }
  }
  return Object.fromEntries(Object.entries(handlers).map(([rpc, handler]) => [rpc, handler === undefined ? undefined : fresh(rpc, handler)]))
}

/** Handlers that have nothing of {@link withFreshMeta}: what this proxy knows of users and rights is no more its to tell either. */
export function whileLive(handlers: HandlerTable, { membership }: Pick<ClusterMember, 'membership'>): HandlerTable {
  const guarded = (handler: AnyHandler): AnyHandler => {
    const run = handler.run.bind(handler) as (request: object, call: CallContext) => Promise<object>
    return {
      ...handler,
      run: async (request: never, call: CallContext): Promise<object> => {
        assertLive(membership)
        return run(request, call)
      },
    }
  }
  return Object.fromEntries(Object.entries(handlers).map(([rpc, handler]) => [rpc, handler === undefined ? undefined : guarded(handler)]))
}

function assertLive({ isLive }: Pick<ClusterMember['membership'], 'isLive'>): void {
  if (!isLive) throw new MilvusError(Code.NotReady, 'service not ready: this proxy has lost its place in the cluster, retry later')
}
