/** All RPC handlers of the node. */
import type { GlobalParamsTable } from '@timetick/paramtable'
import type { Clients } from '../clients/clients.ts'
import type { Catalog } from '../coordinator/catalog.ts'
import { systemUsage, type NodeClock } from '../edge/system.ts'
import type { CollectionMeta, IndexMeta } from '../model/meta.ts'
import { hasStructure } from '../model/scalar-index.ts'
import { createCompactionHandlers } from '../proxy/compaction.ts'
import { createDdlHandlers, type DdlProgress, type IndexProgress } from '../proxy/ddl.ts'
import { createDmlHandlers } from '../proxy/dml.ts'
import { createDqlHandlers } from '../proxy/dql.ts'
import { withExports } from '../proxy/export.ts'
import { createImportHandlers } from '../proxy/import.ts'
import { createFlushHandlers } from '../proxy/flush.ts'
import { createNodeInfoHandlers } from '../proxy/node-info.ts'
import { createSegmentHandlers } from '../proxy/query-segments.ts'
import type { QueryNodeApi } from '../querynode/api.ts'
import type { AnyHandler, HandlerTable } from '../server/handlers.ts'
import type { Staging } from '../staging/staging.ts'
import { version } from '../version.ts'
import type { Meter } from './metrics/meter.ts'
import { watchRead } from './metrics/reads.ts'
import { serverVisibility } from './client-parameters.ts'
import type { Roles } from './roles.ts'
import type { NodeCore } from './core.ts'

export interface HandlersOptions extends NodeCore {
  readonly parameters: GlobalParamsTable
  readonly clock: NodeClock
  readonly meter?: Meter | undefined
  /** Who is connected. */
  readonly clients?: Clients | undefined
  /** Databases were made or dropped. */
  readonly databasesChanged?: (() => Promise<void>) | undefined
}

export function createHandlers(options: HandlersOptions): HandlerTable {
  const { catalog, roles, time, writer, staging, parameters, clock } = options
  const now = (): Promise<bigint> => time.timestamps.allocOne()
  const queryNode = currentQueryNode(roles, options.meter)
  const visibility = parameters.getString('common.visibility') === 'flush' ? 'flush' : 'milvus'
  return {
    ...besideCommits(options.staging, createDdlHandlers({
      meta: catalog,
      catalog,
      timestamps: time.timestamps,
      progress: createProgress(options, now),
      version: `mini-milvus-${version}`,
      clock,
      health: () => health(roles),
      maxReplicas: () => roles.queryNode.nodeIds().length || 1,
      databasesChanged: options.databasesChanged,
      serverVisibility: serverVisibility(parameters),
      hasStagedWork: (id) => staging.hasWork(id),
      whileStill: (ids, work) => staging.whileStill(ids, work),
      onConnect: (identifier, info, call) => options.clients?.connected(identifier, info, call),
      onHeartbeat: (identifier, call) => options.clients?.heartbeat(identifier, call),
    })),
    ...createDmlHandlers({ meta: catalog, writer, queryNode, staging: options.staging, visibility, ids: time.ids, now, pause: () => clock.yieldToLoop() }),
    ...withExports(createDqlHandlers({ meta: catalog, queryNode, now, pause: () => clock.yieldToLoop(), gracefulTimeMs: parameters.getDurationMs('common.gracefulTime'), iteratorKeepMs: parameters.getDurationMs('proxy.iteratorTimeout'), lastWrite: (id) => writer.lastWrite(id), lastCommit: (id) => options.staging.lastCommit(id) }), { meta: catalog, exporter: () => roles.exporter.current }),
    ...createFlushHandlers({ meta: catalog, now, flushShard: (key, ts) => roles.flushShard(key, ts), wallClock: () => clock.now(), staging: options.staging }),
    ...createSegmentHandlers({ meta: catalog, queryNode }),
    ...createCompactionHandlers({ meta: catalog, compactor: () => roles.compactor.current, allocateId: () => time.ids.allocOne(), segmentBytes: () => parameters.getBytes('dataNode.sealBytes') }),
    ...createImportHandlers({ meta: catalog, importer: () => roles.importer.current }),
    ...createNodeInfoHandlers({ meta: catalog, queryNode, queryNodes: roles.queryNode, version: `mini-milvus-${version}`, now: () => clock.now(), usage: systemUsage }),
  }
}

/** What drops staged work takes turns with the commits: a flush comes before or after it, not in the middle. */
export function besideCommits(staging: Staging, handlers: HandlerTable): HandlerTable {
  const alone = (handler: AnyHandler | undefined): AnyHandler | undefined => handler && { ...handler, run: (request, call) => staging.alone(() => handler.run(request, call)) }
  const { DropCollection, DropPartition, TruncateCollection } = handlers
  return { ...handlers, DropCollection: alone(DropCollection), DropPartition: alone(DropPartition), TruncateCollection: alone(TruncateCollection) }
}

/** Calls go to the instance that runs now: a restarted role is another one. */
function currentQueryNode({ queryNode }: Roles, meter: Meter | undefined): QueryNodeApi {
  return {
    get nodeId() {
      return queryNode.current.nodeId
    },
    search: (request) => watchRead(meter, 'search', async () => queryNode.current.search(request)),
    query: (request) => watchRead(meter, 'query', async () => queryNode.current.query(request)),
    matchingKeys: (request) => watchRead(meter, 'query', async () => queryNode.current.matchingKeys(request)),
    termStats: async (request) => queryNode.current.termStats(request),
    moment: async (request) => queryNode.current.moment?.(request) ?? { ts: request.guaranteeTs, release: () => undefined },
    loadProgress: (collectionId) => queryNode.current.loadProgress(collectionId),
    segments: (collectionId) => queryNode.current.segments(collectionId),
    serviceTimes: () => queryNode.current.serviceTimes(),
  }
}

function health({ dataNode, queryNode }: Roles): { healthy: boolean; reasons: string[] } {
  const reasons = [dataNode, queryNode].filter((role) => role.status() !== 'healthy').map((role) => `${role.id} is not healthy`)
  return { healthy: reasons.length === 0, reasons }
}

function createProgress({ catalog, roles, requestTick }: HandlersOptions, now: () => Promise<bigint>): DdlProgress {
  return {
    async rowCount(collection, partitionId) {
      const ts = await now()
      await readUpToNow(roles, collection, ts, requestTick)
      const flushed = catalog
        .segments(collection.id)
        .filter((segment) => segment.level === 'L1' && (partitionId === undefined || segment.partitionId === partitionId))
        .reduce((sum, segment) => sum + segment.rows + (segment.deadRows ?? 0), 0)
      return flushed + roles.dataNode.current.unflushedRows(collection.id, partitionId, ts)
    },
    loadProgress(collection) {
      const progress = roles.queryNode.current.loadProgress(collection.id)
      return progress === undefined || progress.failure !== undefined ? 0 : progress.percent
    },
    indexProgress: (collection, index) => indexProgress(catalog, collection, index),
  }
}

/** Rows are counted as the data node sees them: let it read what was acknowledged before the question. */
async function readUpToNow({ dataNode }: Roles, collection: CollectionMeta, ts: bigint, requestTick: NodeCore['requestTick']): Promise<void> {
  const channels = [...new Set(collection.shards.map(({ pchannel }) => pchannel))]
  requestTick(channels, ts)
  await dataNode.current.waitForTicks(channels, ts)
}

export function indexProgress(catalog: Pick<Catalog, 'segments'>, collection: CollectionMeta, index: IndexMeta): IndexProgress {
  const segments = catalog.segments(collection.id).filter((segment) => segment.level === 'L1')
  const totalRows = segments.reduce((sum, segment) => sum + segment.rows, 0)
  const field = collection.schema.fields.find(({ id }) => id === index.fieldId)
  // What has no structure of its own is there as soon as it is asked for.
  if (field === undefined || (index.metricType === '' && !hasStructure(field, index))) return { totalRows, indexedRows: totalRows, pendingRows: 0, state: 'finished', reason: '' }
  let indexedRows = 0
  let reason = ''
  for (const segment of segments) {
    const built = segment.indexes.find(({ indexId }) => indexId === index.id)
    if (built?.state === 'finished') indexedRows += segment.rows
    if (built?.state === 'failed') reason = built.reason
  }
  const state = reason !== '' ? 'failed' : indexedRows < totalRows ? 'building' : 'finished'
  return { totalRows, indexedRows, pendingRows: totalRows - indexedRows, state, reason }
}
