/** This node as a source of insight: changes of metadata are pushed as they happen, the rest is looked at every few seconds. */
import type { InsightSource, Sink } from 'timetick-insight/embed'
import { parseTimestamp } from '@timetick/tso'
import type { NodeClock } from '../edge/system.ts'
import type { CollectionMeta } from '../model/meta.ts'
import type { NodeCore } from '../node/core.ts'
import type { LocalCalls } from './local-calls.ts'
import { aliasRow, collectionKey, collectionRow, databaseRow, indexRow, segmentRow } from './rows.ts'

export interface LocalSourceOptions {
  readonly core: Pick<NodeCore, 'catalog' | 'roles' | 'watchdog' | 'ticks' | 'pchannels'>
  readonly clock: NodeClock
  readonly address: string
  readonly version: string
  /** How the page's actions and searches reach the node; without it there are none. */
  readonly calls: LocalCalls | undefined
}

/** A round tells of all collections; in between, other work runs. */
const COLLECTIONS_PER_TURN = 100

export function createLocalSource(options: LocalSourceOptions): InsightSource {
  const { core, clock, calls } = options
  const { catalog } = core
  let sink: Sink | undefined
  let stopListening = (): void => undefined
  const observe = (id: bigint | undefined): void => {
    const collection = id === undefined ? undefined : catalog.collectionById(id)
    if (sink !== undefined && collection !== undefined) tellCollection(sink, options, collection)
  }
  return {
    origin: 'push',
    intervalMs: 2000,
    async start(to) {
      sink = to
      stopListening = catalog.onChange((change) => {
        if (change.kind === 'collection') {
          const { before, after } = change
          if (before !== undefined && (after === undefined || before.dbName !== after.dbName)) to.drop('collection', collectionKey(before))
          observe(change.id)
        } else if (change.kind === 'load') observe(change.collectionId)
        else observe((change.after ?? change.before)?.collectionId)
      })
      return {}
    },
    async refresh(signal) {
      if (sink === undefined) return
      tellNode(sink, options)
      tellDatabases(sink, options)
      for (const [i, collection] of catalog.collections().entries()) {
        if (i % COLLECTIONS_PER_TURN === COLLECTIONS_PER_TURN - 1) await clock.yieldToLoop()
        signal.throwIfAborted()
        tellCollection(sink, options, collection)
      }
      sink.full('collection', '', new Set(catalog.collections().map(collectionKey)))
      tellGauges(sink, options)
    },
    async stop() {
      stopListening()
      sink = undefined
    },
    ...(calls === undefined ? {} : { act: (action, target) => calls.act(action, target), search: (query) => calls.search(query) }),
  }
}

function tellCollection(sink: Sink, { core }: LocalSourceOptions, collection: CollectionMeta): void {
  const { catalog, roles } = core
  const key = collectionKey(collection)
  const { dbName: db, id } = collection
  const segments = catalog.segments(id)
  const progress = roles.queryNode.status() === 'healthy' ? roles.queryNode.current.loadProgress(id) : undefined
  sink.upsert('collection', key, collectionRow(catalog, collection, progress))
  const tell = (kind: 'partition' | 'index' | 'alias' | 'segment' | 'channel', rows: readonly (readonly [string, Parameters<Sink['upsert']>[2]])[]): void => {
    for (const [name, row] of rows) sink.upsert(kind, `${key}/${name}`, row)
    sink.full(kind, `${key}/`, new Set(rows.map(([name]) => `${key}/${name}`)))
  }
  const own = { db, collId: String(id) }
  tell('partition', collection.partitions.map((partition) => [String(partition.id), { ...own, id: String(partition.id), name: partition.name, createdTs: String(partition.createdTs) }]))
  tell('index', catalog.indexes(id).map((index) => [index.name, indexRow(index, collection, segments)]))
  tell('alias', catalog.aliases(id).map((alias) => [alias.alias, aliasRow(alias)]))
  tell('segment', segments.map((segment) => [String(segment.id), segmentRow(segment, db)]))
  tell('channel', collection.shards.map(({ vchannel, pchannel }) => [vchannel, { ...own, id: vchannel, name: vchannel, pchannel, checkpoint: { ts: String(catalog.flushedTs(id, vchannel)) } }]))
}

function tellDatabases(sink: Sink, { core: { catalog } }: LocalSourceOptions): void {
  const databases = catalog.databases()
  for (const database of databases) sink.upsert('database', database.name, databaseRow(database, catalog.collections(database.name).length))
  sink.full('database', '', new Set(databases.map(({ name }) => name)))
}

/** The node, its roles as nodes, and what the watchdog thinks of its components. */
function tellNode(sink: Sink, { core, address, version }: LocalSourceOptions): void {
  const { roles, watchdog } = core
  const nodes = [
    ['proxy', 'healthy'],
    ['datanode', roles.dataNode.status()],
    ['querynode', roles.queryNode.status()],
  ] as const
  for (const [role, state] of nodes) sink.upsert('node', role, { id: role, name: `mini-milvus ${role}`, role, address, version, state })
  for (const [id, { phase, restarts, status }] of watchdog.states.components) sink.upsert('watchdog', id, { id, name: id, target: id, state: phase === 'up' ? 'ok' : phase, status: status === undefined ? null : String(status), restarts })
  sink.full('watchdog', '', new Set(watchdog.states.components.keys()))
}

function tellGauges(sink: Sink, { core, clock }: LocalSourceOptions): void {
  const { roles, pchannels, ticks } = core
  const now = clock.now()
  const served = roles.queryNode.status() === 'healthy' ? roles.queryNode.current.serviceTimes() : new Map<string, bigint>()
  for (const channel of pchannels) {
    const ticked = ticks.lastTick(channel)
    if (ticked > 0n) sink.gauge(`timetick.lag{${channel}}`, Math.max(0, now - parseTimestamp(ticked).physicalMs))
    const ts = served.get(channel) ?? 0n
    if (ts > 0n) sink.gauge(`querynode.lag{${channel}}`, Math.max(0, now - parseTimestamp(ts).physicalMs))
  }
  if (roles.dataNode.status() === 'healthy') sink.gauge('datanode.buffered{bytes}', roles.dataNode.current.bufferedBytes())
}
