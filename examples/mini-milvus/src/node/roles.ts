/** The roles of a standalone node, wired to each other through metadata, log and storage. */
import type { KVBase } from '@timetick/kv'
import { positionFromJson, type Mq, type MsgPosition, type MsgPositionJson, type TimeTickProducer } from '@timetick/msgstream'
import type { GlobalParamsTable } from '@timetick/paramtable'
import type { Watchdog } from '@timetick/watchdog'
import type { Catalog } from '../coordinator/catalog.ts'
import { Compactor } from '../coordinator/compactor.ts'
import { Exporter } from '../coordinator/exporter.ts'
import { GarbageCollector } from '../coordinator/garbage.ts'
import { importSettings, pendingImports } from '../coordinator/import-settings.ts'
import { Importer } from '../coordinator/importer.ts'
import { IndexBuilder } from '../coordinator/index-builder.ts'
import { startDataNode, type DataNode } from '../datanode/data-node.ts'
import type { ShardKey } from '../datanode/shard-buffer.ts'
import type { NodeClock } from '../edge/system.ts'
import type { Engine } from '../engine/index.ts'
import { startQueryNode, type QueryNode, type QueryNodeOptions } from '../querynode/query-node.ts'
import type { TransactionReader } from '../staging/transactions.ts'
import { createSegmentLoader } from '../querynode/storage-loader.ts'
import type { ObjectStorage } from '../storage/index.ts'
import { compactionWatch } from './metrics/compactions.ts'
import type { Meter } from './metrics/meter.ts'
import { Role, type RoleInstance } from './role.ts'
import { QueryGroup, type QueryGroupOptions } from './query-group.ts'
import { oneQueryNode, type QueryRole } from './query-role.ts'
import type { NodeTime } from './time.ts'

export interface RolesOptions {
  readonly catalog: Catalog
  readonly kv: KVBase
  readonly mq: Mq
  readonly storage: ObjectStorage
  readonly engine: Engine
  readonly ticks: TimeTickProducer
  readonly time: NodeTime
  readonly pchannels: readonly string[]
  readonly parameters: GlobalParamsTable
  readonly watchdog: Watchdog
  readonly clock: NodeClock
  /** Which commits count; without it none does. */
  readonly transactions?: TransactionReader | undefined
  /** Undefined: nothing is counted. */
  readonly meter?: Meter | undefined
  readonly onWarning: (message: string, error: unknown) => void
}

export interface Roles {
  readonly dataNode: Role<DataNode>
  readonly queryNode: QueryRole
  readonly compactor: Role<Compactor>
  readonly importer: Role<Importer>
  readonly exporter: Role<Exporter>
  flushShard(key: ShardKey, ts: bigint): Promise<void>
  close(): Promise<void>
}

/** The one query node of a standalone node. */
const NODE_ID = 1n

export async function startRoles(options: RolesOptions): Promise<Roles> {
  const { catalog, storage, watchdog, clock, parameters, onWarning } = options
  const garbage = new GarbageCollector({ meta: catalog, storage, pending: () => pendingImports(catalog), onWarning })
  await garbage.sweep()
  const role = <T extends RoleInstance>(id: string, open: (onFailure: (error: Error) => void) => Promise<T>): Role<T> =>
    new Role({ id, open, watchdog, clock, beatMs: parameters.getDurationMs('watchdog.interval'), onFailure: (name, error) => onWarning(`${name} failed`, error) })
  const dataNode: Role<DataNode> = role('data-node', (onFailure) => openDataNode(options, () => queryNode, onFailure))
  const queryNode: QueryRole =
    parameters.getInt('queryNode.count') === 1
      ? oneQueryNode(role('query-node', (onFailure) => openQueryNode(options, () => dataNode, onFailure)))
      : createQueryGroup(options, (nodeId, targets, onHoldings) =>
          role(`query-node-${nodeId}`, (onFailure) => openQueryNode(options, () => dataNode, onFailure, { nodeId, targets, onHoldings })),
        )
  const indexNode = role('index-node', async () => openIndexNode(options))
  const compactor: Role<Compactor> = role('compactor', async () => openCompactor(options))
  const importer: Role<Importer> = role('importer', async () => openImporter(options, () => queryNode))
  const exporter: Role<Exporter> = role('exporter', async () => openExporter(options, garbage, (key, ts) => dataNode.current.flushShard(key, ts)))
  const started: Pick<QueryRole, 'start' | 'close'>[] = []
  const close = async (): Promise<void> => {
    for (const item of started.reverse()) await item.close()
    await garbage.close()
  }
  try {
    for (const item of [dataNode, queryNode, indexNode, compactor, importer, exporter]) {
      await item.start()
      started.push(item)
    }
  } catch (error) {
    await close()
    throw error
  }
  return { dataNode, queryNode, compactor, importer, exporter, flushShard: (key, ts) => dataNode.current.flushShard(key, ts), close }
}

function openDataNode({ catalog, mq, storage, ticks, time, pchannels, parameters, clock, transactions, onWarning }: RolesOptions, queryNode: () => QueryRole, onFailure: (error: Error) => void): Promise<DataNode> {
  return startDataNode({
    meta: catalog,
    segments: catalog,
    mq,
    storage,
    pchannels,
    clock,
    transactions,
    allocateId: () => time.ids.allocOne(),
    checkpoint: (pchannel) => positionOf(catalog.checkpoint(pchannel)),
    requestTick: (channels, atLeast) => ticks.requestTick(channels, atLeast),
    oldestReader: (pchannel) => queryNode().oldestReader(pchannel),
    sealBytes: parameters.getBytes('dataNode.sealBytes'),
    sealIdleMs: parameters.getDurationMs('dataNode.sealIdle'),
    maxBufferedBytes: parameters.getBytes('dataNode.maxBufferedBytes'),
    onFailure,
    onWarning,
  })
}

function openQueryNode({ catalog, mq, storage, engine, ticks, pchannels, parameters, clock, transactions, onWarning }: RolesOptions, dataNode: () => Role<DataNode>, onFailure: (error: Error) => void, ofGroup: Partial<Pick<QueryNodeOptions, 'nodeId' | 'targets' | 'onHoldings'>> = {}): Promise<QueryNode> {
  return startQueryNode({
    nodeId: NODE_ID,
    ...ofGroup,
    meta: catalog,
    mq,
    engine,
    loader: createSegmentLoader(storage),
    pchannels,
    maxWaitMs: parameters.getDurationMs('queryNode.maxWait'),
    maxKeptBytes: parameters.getBytes('queryNode.maxKeptBytes'),
    clock,
    transactions,
    checkpoint: (pchannel) => positionOf(catalog.checkpoint(pchannel)),
    requestTick: (channels, atLeast) => ticks.requestTick(channels, atLeast),
    // Marked as not built, it is built again.
    onBadIndex(segmentId, index, error) {
      onWarning(`index ${index.path} cannot be opened and is built again`, error)
      catalog.saveSegmentIndex(segmentId, { ...index, state: 'building', reason: 'the file was damaged' }).catch((failure: unknown) => onWarning('marking an index as damaged failed', failure))
    },
    flushShard: (collectionId, vchannel, atLeast) => dataNode().current.flushShard({ collectionId, vchannel }, atLeast),
    onFailure,
    onWarning,
  })
}

function createQueryGroup({ catalog, kv, time, parameters, clock, onWarning }: RolesOptions, createNode: QueryGroupOptions['createNode']): QueryGroup {
  return new QueryGroup({
    meta: catalog,
    kv,
    clock,
    allocateId: () => time.ids.allocOne(),
    count: () => parameters.getInt('queryNode.count'),
    onCount: (listener) => parameters.watch('queryNode.count', listener),
    createNode,
    maxWaitMs: parameters.getDurationMs('queryNode.maxWait'),
    graceMs: parameters.getDurationMs('queryCoord.grace'),
    intervalMs: parameters.getDurationMs('queryCoord.interval'),
    maxMoves: () => (parameters.getBool('queryCoord.autoBalance') ? parameters.getInt('queryCoord.maxMoves') : 0),
    tolerance: parameters.getFloat('queryCoord.tolerance'),
    onWarning,
  })
}

function openIndexNode({ catalog, storage, engine, parameters, clock, onWarning }: RolesOptions): IndexBuilder {
  const loader = createSegmentLoader(storage)
  return new IndexBuilder({ meta: catalog, segments: catalog, storage, loader, engine, minRows: parameters.getInt('indexNode.minRows'), clock, onWarning })
}

function openCompactor({ catalog, storage, time, parameters, clock, meter, onWarning }: RolesOptions): Compactor {
  return new Compactor({
    meta: catalog,
    segments: catalog,
    storage,
    loader: createSegmentLoader(storage),
    allocateId: () => time.ids.allocOne(),
    clock,
    minSegments: parameters.getInt('compaction.minSegments'),
    maxBytes: parameters.getBytes('dataNode.sealBytes'),
    deleteShare: parameters.getFloat('compaction.deleteShare'),
    watch: compactionWatch(meter),
    onWarning,
  })
}

function openImporter({ catalog, storage, time, parameters, clock, onWarning }: RolesOptions, queryNode: () => QueryRole): Importer {
  return new Importer({
    ...importSettings({ storage, ids: time.ids, parameters, clock }),
    meta: catalog,
    catalog,
    served: (collectionId) => (queryNode().status() === 'healthy' ? new Set(queryNode().current.segments(collectionId).map(({ segmentId }) => segmentId)) : undefined),
    onWarning,
  })
}

function openExporter({ catalog, storage, time, clock }: RolesOptions, garbage: GarbageCollector, flushShard: Roles['flushShard']): Exporter {
  return new Exporter({
    meta: catalog,
    loader: createSegmentLoader(storage),
    clock,
    allocateId: () => time.ids.allocOne(),
    allocateTs: () => time.timestamps.allocOne(),
    async flush({ id, shards }, ts) {
      await Promise.all(shards.map(({ vchannel }) => flushShard({ collectionId: id, vchannel }, ts)))
    },
    hold: (folder) => garbage.hold(folder),
  })
}

function positionOf(json: string | undefined): MsgPosition | undefined {
  return json === undefined ? undefined : positionFromJson(JSON.parse(json) as MsgPositionJson)
}
