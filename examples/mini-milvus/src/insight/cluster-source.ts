/**
 * A cluster as one of its proxies sees it, as a source of insight: changes of metadata are pushed as the mirror hears of them, all
 * processes are asked every second what they do. Clients, calls and tasks are this proxy's.
 */
import type { GlobalParamsTable } from '@timetick/paramtable'
import type { InsightSource, Sink } from 'timetick-insight/embed'
import type { OwnedState } from '../cluster/apis.ts'
import type { ClusterMember } from '../cluster/member.ts'
import type { NodeClock } from '../edge/system.ts'
import { serverVisibility } from '../node/client-parameters.ts'
import type { TaskQueues } from '../server/task-queue.ts'
import { ChannelStates } from './channel-states.ts'
import { clientRow } from './clients.ts'
import { askAll, ownedStates, ownerRow, readerLags, tellClusterGauges, tellLogChannels, tellMembersOfCluster } from './cluster-rows.ts'
import { type CollectionView, countByDatabase, tellCollectionRows, tellDatabases } from './collection-rows.ts'
import type { LocalCalls } from './local-calls.ts'
import { RateTeller, tellQueues, tellUsage } from './node-gauges.ts'
import { createParameterTeller, endedTasks, runningTasks, slowRow, tellWatchdog } from './node-rows.ts'
import type { NodeView } from './node-view.ts'
import { startPushing } from './pushed.ts'
import { collectionKey } from './rows.ts'
import { TaskBoard } from './task-board.ts'
import { TsoWatch } from './tso-watch.ts'
import type { ProcessUsage } from './usage.edge.ts'

export interface ClusterSourceOptions {
  readonly member: ClusterMember
  readonly clock: NodeClock
  readonly view: NodeView
  readonly queues: TaskQueues
  readonly parameters: GlobalParamsTable
  readonly usage: () => ProcessUsage
  readonly calls: LocalCalls | undefined
}

const COLLECTIONS_PER_TURN = 100
const RECONCILE_MS = 60_000
/** How far loads are is asked of the coordinator: where none leads, the rest is told without it. */
const PROGRESS_MS = 1_000

export function createClusterSource(options: ClusterSourceOptions): InsightSource {
  const { member, clock, view: { board, clients }, calls, parameters } = options
  const { mirror, queryNodes, pchannels, membership, coordinator } = member
  const proxy = String(membership.nodeId)
  const rates = new RateTeller()
  const tasks = new TaskBoard()
  const tso = new TsoWatch()
  const channels = new ChannelStates()
  const tellParameters = createParameterTeller(parameters)
  const taskView = { core: { catalog: mirror, roles: { queryNode: { status: () => 'healthy', current: queryNodes } } }, board }
  const hot = new Set<bigint>()
  let sink: Sink | undefined
  let stopListening = (): void => undefined
  let reconciledAt = -Infinity
  let ratedAt = clock.monotonic()
  let newestTick = 0n
  let owned: ReadonlyMap<string, OwnedState> = new Map()
  let growing: ReadonlyMap<bigint, number> = new Map()
  const rows: CollectionView = {
    meta: mirror,
    visibility: serverVisibility(parameters),
    progress: (id) => queryNodes.loadProgress(id),
    growing: (id) => growing.get(id) ?? 0,
    channel: (pchannel) => ({ ...channels.of(pchannel), ...ownerRow(member.channels.assignments.get(pchannel)) }),
  }
  const observe = (id: bigint | undefined): void => {
    const collection = id === undefined ? undefined : mirror.collectionById(id)
    if (sink === undefined || collection === undefined) return
    if (tellCollectionRows(sink, rows, collection)) hot.add(collection.id)
    else hot.delete(collection.id)
  }
  return {
    origin: 'push',
    intervalMs: 1000,
    async start(to) {
      sink = to
      stopListening = startPushing(to, { meta: mirror, board, slowRow: (call) => ({ ...slowRow(call), proxy }), onCollection: observe, onGone: (id) => hot.delete(id) })
      return {}
    },
    async refresh(signal) {
      const told = await askAll(member)
      await askProgress(signal)
      if (sink === undefined) return
      const now = clock.now()
      owned = ownedStates(told)
      const lags = readerLags(told, owned, pchannels, now)
      const moved = channels.see(lags, { laggingMs: parameters.getDurationMs('insight.laggingAfter'), stuckMs: parameters.getDurationMs('insight.stuckAfter') })
      tellMembersOfCluster(sink, told, mirror.collections().flatMap(({ id }) => queryNodes.placement.replicas(id)))
      tellLogChannels(sink, lags, { assignments: member.channels.assignments, states: channels, checkpoint: (pchannel) => mirror.checkpoint(pchannel) })
      tellTime(sink)
      const before = growing
      growing = unflushedRows()
      await observeAll(signal, sink, moved, before)
      tellDatabases(sink, mirror, countByDatabase(mirror.collections()), rows.visibility)
      tellClients(sink)
      tellTasks(sink, now)
      tellWatchdog(sink, member.watchdog)
      tellParameters(sink)
      tellClusterGauges(sink, told, owned, lags, now)
      tellQueues(sink, options.queues)
      tellUsage(sink, options.usage())
      rates.tell(sink, board.takeRates(), clock.monotonic() - ratedAt)
      ratedAt = clock.monotonic()
      if (!membership.isLive) throw new Error('this proxy has lost its place in the cluster')
      if (coordinator.leader === undefined) throw new Error('no coordinator leads')
    },
    async stop() {
      stopListening()
      sink = undefined
    },
    ...(calls === undefined ? {} : { act: (action, target) => calls.act(action, target), search: (query) => calls.search(query) }),
  }

  /** Of what loads. What was known stays where nobody answers. */
  async function askProgress(signal: AbortSignal): Promise<void> {
    if (hot.size === 0 || coordinator.leader === undefined) return
    const abort = new AbortController()
    const stop = (): void => abort.abort(signal.reason)
    signal.addEventListener('abort', stop, { once: true })
    const cancel = clock.setTimer(() => abort.abort(new Error('no answer in time')), PROGRESS_MS)
    await queryNodes.refresh(abort.signal).catch(() => undefined)
    cancel()
    signal.removeEventListener('abort', stop)
    signal.throwIfAborted()
  }

  function unflushedRows(): ReadonlyMap<bigint, number> {
    const sums = new Map<bigint, number>()
    for (const { unflushed } of owned.values()) for (const [id, count] of unflushed) sums.set(id, (sums.get(id) ?? 0) + count)
    return sums
  }

  /** All of them now and then; else those that move without a change of metadata, and those that did a moment ago. */
  async function observeAll(signal: AbortSignal, to: Sink, moved: readonly string[], before: ReadonlyMap<bigint, number>): Promise<void> {
    const isDue = clock.monotonic() - reconciledAt >= RECONCILE_MS
    const ids = isDue || moved.length > 0 ? mirror.collections().map(({ id }) => id) : [...new Set([...hot, ...before.keys(), ...growing.keys()])]
    for (const [i, id] of ids.entries()) {
      if (i % COLLECTIONS_PER_TURN === COLLECTIONS_PER_TURN - 1) await clock.yieldToLoop()
      signal.throwIfAborted()
      observe(id)
    }
    if (!isDue) return
    to.full('collection', '', new Set(mirror.collections().map(collectionKey)))
    reconciledAt = clock.monotonic()
  }

  /** Owners that do not answer for a moment do not set time back. */
  function tellTime(to: Sink): void {
    for (const { lastTick } of owned.values()) if (lastTick > newestTick) newestTick = lastTick
    if (newestTick > 0n) to.upsert('tso', 'tso', tso.see(newestTick, clock.now(), clock.monotonic(), undefined))
  }

  function tellClients(to: Sink): void {
    const keys = new Set<string>()
    for (const seen of clients()) {
      keys.add(seen.client.key)
      to.upsert('client', seen.client.key, { ...clientRow(seen), proxy })
    }
    to.full('client', '', keys)
  }

  function tellTasks(to: Sink, now: number): void {
    tasks.see(runningTasks(taskView, hot), now, endedTasks(taskView))
    const found = tasks.rows()
    for (const [key, row] of found) to.upsert('task', key, { ...row, proxy })
    to.full('task', '', new Set(found.keys()))
  }
}
