/** The node itself as rows: its roles, what the watchdog thinks of them, its log channels, clients, tasks, slow calls, parameters. */
import { parseTimestamp } from '@timetick/tso'
import type { Row, Sink } from 'timetick-insight/embed'
import type { GlobalParamsTable } from '@timetick/paramtable'
import type { ComponentStates, Watchdog } from '@timetick/watchdog'
import { isEnded, type ImportJobMeta } from '../model/import-job.ts'
import { clientRow, type ClientsSeen } from './clients.ts'
import type { CallBoard, SlowCall } from './call-board.ts'
import type { MetaReader } from '../coordinator/api.ts'
import type { EndedCompaction } from '../coordinator/compaction-log.ts'
import type { CollectionMeta } from '../model/meta.ts'
import type { NodeCore } from '../node/core.ts'
import type { QueryNodeApi } from '../querynode/api.ts'
import type { ChannelStates } from './channel-states.ts'
import type { LocalSourceOptions } from './local-source.ts'
import { collectionKey } from './rows.ts'
import type { EndedTask, RunningTask } from './task-board.ts'

/** @returns keys of the nodes that are told here */
export function tellMembers(sink: Sink, { core, address, version, startedAt }: LocalSourceOptions): readonly string[] {
  const { roles, watchdog } = core
  const nodes = [
    ['proxy', 'healthy'],
    ['datanode', roles.dataNode.status()],
    ['querynode', roles.queryNode.status()],
  ] as const
  // Where there are several query nodes, they are told one by one.
  for (const [role, state] of nodes) if (role !== 'querynode' || roles.queryNode.placement === undefined) sink.upsert('node', role, { id: role, name: `mini-milvus ${role}`, role, address, version, state, startedAt })
  tellWatchdog(sink, watchdog)
  return nodes.map(([role]) => role)
}

export function tellWatchdog(sink: Sink, watchdog: Pick<Watchdog, 'states'>): void {
  for (const [id, states] of watchdog.states.components) sink.upsert('watchdog', id, { id, name: id, target: id, state: watchdogState(states), status: states.status === undefined ? null : String(states.status), restarts: states.restarts })
  sink.full('watchdog', '', new Set(watchdog.states.components.keys()))
}

function watchdogState({ phase, status }: ComponentStates): string {
  if (phase === 'up') return status === 'healthy' ? 'ok' : 'suspect'
  return phase === 'gave-up' ? 'dead' : phase === 'waiting' ? 'stalled' : 'recovering'
}

/** How far the readers of each log channel are behind the clock, by reader. */
export function streamLags({ core, clock }: LocalSourceOptions): ReadonlyMap<string, ReadonlyMap<string, number>> {
  const { roles, pchannels } = core
  const now = clock.now()
  const none: ReadonlyMap<string, bigint> = new Map()
  const readers = [
    ['datanode', roles.dataNode.status() === 'healthy' ? roles.dataNode.current.readTimes() : none],
    ['querynode', roles.queryNode.status() === 'healthy' ? roles.queryNode.current.serviceTimes() : none],
  ] as const
  const lagOf = (ts: bigint): number => Math.max(0, now - parseTimestamp(ts).physicalMs)
  return new Map(pchannels.map((channel) => [channel, new Map(readers.flatMap(([reader, times]) => ((times.get(channel) ?? 0n) > 0n ? [[reader, lagOf(times.get(channel) ?? 0n)] as const] : [])))]))
}

export function tellStreams(sink: Sink, options: LocalSourceOptions, lags: ReadonlyMap<string, ReadonlyMap<string, number>>, states: ChannelStates): void {
  for (const [channel, readers] of lags) {
    const checkpoint = checkpointTs(options.core.catalog.checkpoint(channel))
    sink.upsert('stream', channel, { id: channel, name: channel, ...states.of(channel), readers: [...readers.keys()], checkpoint: checkpoint === undefined ? null : { ts: checkpoint } })
  }
  sink.full('stream', '', new Set(lags.keys()))
}

export function checkpointTs(json: string | undefined): string | undefined {
  return json === undefined ? undefined : (JSON.parse(json) as { timestamp?: string }).timestamp
}

export function tellClients(sink: Sink, clients: ClientsSeen): void {
  const keys = new Set<string>()
  for (const client of clients()) {
    const { key } = client.client
    keys.add(key)
    sink.upsert('client', key, clientRow(client))
  }
  sink.full('client', '', keys)
}

/** Where tasks are looked for: of a node alone, or of one proxy of a cluster, which knows of no compactions. */
export interface TaskOptions {
  readonly core: {
    readonly catalog: Pick<MetaReader, 'collectionById' | 'findCollection' | 'load' | 'segments' | 'indexes'> & { imports(): readonly ImportJobMeta[] }
    readonly roles: { readonly queryNode: { status(): string; readonly current: Pick<QueryNodeApi, 'loadProgress'> }; readonly compactor?: NodeCore['roles']['compactor'] | undefined }
  }
  readonly board: CallBoard
}

/** Of tasks that run no more, those that failed, and those that may have been too short to be seen, by key. */
export function endedTasks({ core: { catalog, roles }, board }: TaskOptions): ReadonlyMap<string, EndedTask> {
  const ended = new Map<string, EndedTask>()
  for (const job of catalog.imports()) if (job.state === 'Failed') ended.set(importKey(job), { row: importRow(job), reason: job.reason })
  for (const { id, db, collections, since, reason } of board.failedFlushes) {
    for (const name of collections) {
      const collection = catalog.findCollection(db, name)
      if (collection !== undefined) ended.set(`${collectionKey(collection)}/${id}`, { row: flushRow(id, collection, since), reason })
    }
  }
  for (const job of roles.compactor?.status() === 'healthy' ? roles.compactor.current.log.ended : []) {
    const collection = catalog.collectionById(job.collectionId)
    if (collection !== undefined) ended.set(`${collectionKey(collection)}/compaction/${job.id}`, { row: compactionRow(collection, job), reason: job.reason })
  }
  return ended
}

function flushRow(id: string, { id: collId, dbName: db, schema: { name } }: CollectionMeta, startedAt: number): Row {
  return { id, name: `flush ${name}`, type: 'flush', db, collId: String(collId), collection: name, startedAt }
}

/** One that waits for its turn has no inputs yet. */
function compactionRow({ id: collId, dbName: db, schema: { name } }: CollectionMeta, { id, inputs, outputs, startedAt }: { readonly id: string } & Partial<EndedCompaction>): Row {
  const own = { id: `compaction-${id}`, name: `compact ${name}`, type: 'compaction', db, collId: String(collId), collection: name }
  return inputs === undefined ? own : { ...own, inputs: inputs.map(String), startedAt: startedAt ?? null, ...(outputs === undefined ? {} : { outputs: outputs.map(String) }) }
}

const importKey = ({ dbName, collectionId, id }: ImportJobMeta): string => `${dbName}/${collectionId}/import-${id}`

function importRow({ id, dbName, collectionId, collectionName, files, createdMs }: ImportJobMeta): Row {
  const read = files.reduce((sum, { importedRows }) => sum + importedRows, 0)
  const total = files.some(({ totalRows }) => totalRows === undefined) ? 0 : files.reduce((sum, { totalRows = 0 }) => sum + totalRows, 0)
  return { id: `import-${id}`, name: `import into ${collectionName}`, type: 'import', db: dbName, collId: String(collectionId), collection: collectionName, percent: total === 0 ? null : Math.floor((100 * read) / total), startedAt: createdMs }
}

/** Loads, index builds, compactions, flushes and imports that run. */
export function* runningTasks({ core, board }: TaskOptions, hot: Iterable<bigint>): Iterable<RunningTask> {
  const { catalog, roles } = core
  for (const id of hot) {
    const collection = catalog.collectionById(id)
    if (collection === undefined) continue
    const own = { db: collection.dbName, collId: String(id), collection: collection.schema.name }
    const key = collectionKey(collection)
    const progress = roles.queryNode.status() === 'healthy' ? roles.queryNode.current.loadProgress(id) : undefined
    if (catalog.load(id) !== undefined && progress !== undefined && progress.percent < 100) {
      yield { key: `${key}/load`, row: { id: `load-${id}`, name: `load ${collection.schema.name}`, type: 'load', ...own, percent: Math.floor(progress.percent), reason: progress.failure ?? null } }
    }
    const segments = catalog.segments(id).filter(({ level }) => level === 'L1')
    for (const index of catalog.indexes(id)) {
      const building = segments.filter(({ indexes }) => indexes.some(({ indexId, state }) => indexId === index.id && state === 'building')).length
      if (building === 0) continue
      yield { key: `${key}/index/${index.name}`, row: { id: `index-${index.id}`, name: `build ${index.name} of ${collection.schema.name}`, type: 'index', ...own, percent: Math.floor((100 * (segments.length - building)) / segments.length) } }
    }
  }
  const compactor = roles.compactor?.status() === 'healthy' ? roles.compactor.current : undefined
  const asked = compactor?.executing().map(({ id, collectionId }) => ({ id: String(id), collectionId })) ?? []
  for (const job of [...asked, ...(compactor?.log.running === undefined ? [] : [compactor.log.running])]) {
    const collection = catalog.collectionById(job.collectionId)
    if (collection !== undefined) yield { key: `${collectionKey(collection)}/compaction/${job.id}`, row: compactionRow(collection, job) }
  }
  for (const job of catalog.imports()) if (!isEnded(job)) yield { key: importKey(job), row: importRow(job) }
  for (const { id, db, collections, since } of board.flushes) {
    for (const name of collections) {
      const collection = catalog.findCollection(db, name)
      if (collection !== undefined) yield { key: `${collectionKey(collection)}/${id}`, row: flushRow(id, collection, since) }
    }
  }
}

export function slowRow({ id, ts, method, db, collection, durMs, isFailed, user, identifier, peer, traceId }: SlowCall): Row {
  return { id, name: method, method, db, coll: collection, durMs: Math.round(durMs * 10) / 10, ts, failed: isFailed, user: user ?? null, clientId: identifier === undefined ? null : String(identifier), peer, traceId: traceId ?? null }
}

/** Parameters in force, secrets masked; told again only when one changed. */
export function createParameterTeller(parameters: GlobalParamsTable): (sink: Sink) => void {
  let isTold = false
  parameters.watch({ prefix: '' }, () => (isTold = false))
  return (sink) => {
    if (isTold) return
    isTold = true
    const keys = new Set<string>()
    for (const [id, value] of parameters.dump()) {
      const { key, source } = parameters.explain(id)
      keys.add(key)
      sink.upsert('param', key, { id: key, name: key, value, source: source ?? null })
    }
    sink.full('param', '', keys)
  }
}
