/** This node as a source of insight: changes of metadata are pushed as they happen, the rest is looked at every second. */
import type { GlobalParamsTable } from '@timetick/paramtable'
import type { InsightSource, Sink } from 'timetick-insight/embed'
import type { NodeClock } from '../edge/system.ts'
import type { CollectionMeta } from '../model/meta.ts'
import { serverVisibility } from '../node/client-parameters.ts'
import type { NodeCore } from '../node/core.ts'
import type { Staging } from '../staging/staging.ts'
import type { TaskQueues } from '../server/task-queue.ts'
import type { CallBoard } from './call-board.ts'
import { countByDatabase, tellCollectionRows, tellDatabases } from './collection-rows.ts'
import { ChannelStates } from './channel-states.ts'
import type { ClientsSeen } from './clients.ts'
import type { LocalCalls } from './local-calls.ts'
import { RateTeller, tellGauges } from './node-gauges.ts'
import { createParameterTeller, endedTasks, runningTasks, slowRow, streamLags, tellClients, tellMembers, tellStreams } from './node-rows.ts'
import { collectionKey } from './rows.ts'
import { startPushing } from './pushed.ts'
import { createQueryNodeTeller } from './query-node-rows.ts'
import { TaskBoard } from './task-board.ts'
import { TsoWatch } from './tso-watch.ts'
import type { ProcessUsage } from './usage.edge.ts'

export interface LocalSourceOptions {
  readonly core: Pick<NodeCore, 'catalog' | 'roles' | 'watchdog' | 'ticks' | 'pchannels' | 'time'>
  readonly clock: NodeClock
  readonly address: string
  readonly version: string
  /** ms since 1970. */
  readonly startedAt: number
  readonly board: CallBoard
  readonly queues: TaskQueues
  readonly clients: ClientsSeen
  readonly staging: Pick<Staging, 'totals'>
  readonly parameters: GlobalParamsTable
  readonly usage: () => ProcessUsage
  /** How the page's actions and searches reach the node; without it there are none. */
  readonly calls: LocalCalls | undefined
}

/** A round over all collections; in between, other work runs. */
const COLLECTIONS_PER_TURN = 100
/** Changes are pushed; this finds what a push might have missed. */
const RECONCILE_MS = 60_000

export function createLocalSource(options: LocalSourceOptions): InsightSource {
  const { core, clock, calls, board } = options
  const { catalog } = core
  const rates = new RateTeller()
  const tasks = new TaskBoard()
  const tso = new TsoWatch()
  const channels = new ChannelStates()
  const tellQueryNodes = createQueryNodeTeller(options)
  const tellParameters = createParameterTeller(options.parameters)
  /** Collections whose state moves without a change of metadata: they load, are built, or hold rows that no segment has. */
  const hot = new Set<bigint>()
  let sink: Sink | undefined
  let stopListening = (): void => undefined
  let reconciledAt = -Infinity
  let counts: ReadonlyMap<string, number> | undefined
  let before: readonly bigint[] = []
  let ratedAt = clock.monotonic()
  const observe = (id: bigint | undefined): void => {
    const collection = id === undefined ? undefined : catalog.collectionById(id)
    if (sink === undefined || collection === undefined) return
    if (tellCollection(sink, options, collection, channels)) hot.add(collection.id)
    else hot.delete(collection.id)
  }
  return {
    origin: 'push',
    intervalMs: 1000,
    async start(to) {
      sink = to
      const onCollection = (id: bigint | undefined, what: 'definition' | 'state'): void => {
        if (what === 'definition') counts = undefined
        observe(id)
      }
      stopListening = startPushing(to, { meta: catalog, board, slowRow, onCollection, onGone: (id) => hot.delete(id) })
      return {}
    },
    async refresh(signal) {
      if (sink === undefined) return
      const lags = streamLags(options)
      tellQueryNodes(sink, tellMembers(sink, options))
      tellTime(sink, tso, options)
      const moved = channels.see(lags, { laggingMs: options.parameters.getDurationMs('insight.laggingAfter'), stuckMs: options.parameters.getDurationMs('insight.stuckAfter') })
      tellStreams(sink, options, lags, channels)
      if (moved.length > 0) await observeAll(signal, ({ shards }) => shards.some(({ pchannel }) => moved.includes(pchannel)))
      tellClients(sink, options.clients)
      tellParameters(sink)
      const now = clock.monotonic()
      if (now - reconciledAt >= RECONCILE_MS) {
        await reconcile(sink, signal)
        reconciledAt = now
      } else {
        // One that was flushed since is looked at once more.
        const written = unflushed(options)
        for (const id of new Set([...hot, ...before, ...written])) observe(id)
        before = written
      }
      counts ??= countByDatabase(catalog.collections())
      tellDatabases(sink, catalog, counts, serverVisibility(options.parameters))
      tellTasks(sink, tasks, options, hot)
      tellGauges(sink, options, lags)
      rates.tell(sink, board.takeRates(), now - ratedAt)
      ratedAt = now
    },
    async stop() {
      stopListening()
      sink = undefined
    },
    ...(calls === undefined ? {} : { act: (action, target) => calls.act(action, target), search: (query) => calls.search(query) }),
  }

  async function observeAll(signal: AbortSignal, isMeant: (collection: CollectionMeta) => boolean): Promise<void> {
    for (const [i, { id }] of catalog.collections().filter(isMeant).entries()) {
      if (i % COLLECTIONS_PER_TURN === COLLECTIONS_PER_TURN - 1) await clock.yieldToLoop()
      signal.throwIfAborted()
      observe(id)
    }
  }

  async function reconcile(to: Sink, signal: AbortSignal): Promise<void> {
    await observeAll(signal, () => true)
    to.full('collection', '', new Set(catalog.collections().map(collectionKey)))
  }
}

/** Collections with rows that no segment holds: their count moves with every insert. */
function unflushed({ core: { roles } }: LocalSourceOptions): readonly bigint[] {
  return roles.dataNode.status() === 'healthy' ? roles.dataNode.current.unflushedCollections() : []
}

function tellTime(sink: Sink, tso: TsoWatch, { core: { ticks, pchannels, time }, clock }: LocalSourceOptions): void {
  let newest = 0n
  for (const channel of pchannels) if (ticks.lastTick(channel) > newest) newest = ticks.lastTick(channel)
  if (newest > 0n) sink.upsert('tso', 'tso', tso.see(newest, clock.now(), clock.monotonic(), time.trouble()))
}

function tellTasks(sink: Sink, tasks: TaskBoard, options: LocalSourceOptions, hot: ReadonlySet<bigint>): void {
  tasks.see(runningTasks(options, hot), options.clock.now(), endedTasks(options))
  const rows = tasks.rows()
  for (const [key, row] of rows) sink.upsert('task', key, row)
  sink.full('task', '', new Set(rows.keys()))
}

/** Whether its row moves without a change of metadata. */
function tellCollection(sink: Sink, { core: { catalog, roles }, parameters }: LocalSourceOptions, collection: CollectionMeta, channels: ChannelStates): boolean {
  return tellCollectionRows(
    sink,
    {
      meta: catalog,
      visibility: serverVisibility(parameters),
      progress: (id) => (roles.queryNode.status() === 'healthy' ? roles.queryNode.current.loadProgress(id) : undefined),
      growing: (id) => (roles.dataNode.status() === 'healthy' ? roles.dataNode.current.unflushedRows(id) : 0),
      channel: (pchannel) => channels.of(pchannel),
    },
    collection,
  )
}
