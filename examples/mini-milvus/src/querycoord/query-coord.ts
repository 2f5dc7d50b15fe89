/**
 * Keeps the targets of all loaded collections after the metadata and the query nodes that live. What there is to do follows from
 * those and from what is stored, so that another coordinator goes on where this one stopped.
 */
import type { MetaChange, MetaReader } from '../coordinator/api.ts'
import type { NodeClock } from '../edge/system.ts'
import type { LoadMeta } from '../model/meta.ts'
import { DEFAULT_RESOURCE_GROUP } from '../model/resource-group.ts'
import type { ReplicaRecord } from '../model/target.ts'
import type { CollectionHoldings, LoadProgress } from '../querynode/api.ts'
import { Code, MilvusError } from '../server/status.ts'
import { NodeLoads } from './loads.ts'
import { missingReplicas } from './progress.ts'
import { wantedContents } from './wanted.ts'
import { wantedReplicas, withNodes } from './replicas.ts'
import { isLoaded, loadedPercent, stepReplica, type Holdings } from './step.ts'
import type { ReplicaChange, TargetStore } from './target-store.ts'

export interface CoordNode {
  readonly nodeId: bigint
  readonly capacity: number
  /** Another one of the same id has lost what the former held. */
  readonly incarnation: number
  /** Of these collections, as far as it holds them. */
  holdings(collectionIds: readonly bigint[]): Promise<readonly CollectionHoldings[]>
}

export interface QueryCoordOptions {
  readonly meta: MetaReader
  readonly store: TargetStore
  /** Query nodes that live. */
  readonly nodes: () => readonly CoordNode[]
  readonly resourceGroupOf: (nodeId: bigint) => string
  readonly allocateId: () => Promise<bigint>
  readonly clock: Pick<NodeClock, 'monotonic' | 'setTimer'>
  /** How long what is no longer current can still be read. */
  readonly graceMs: number
  /** How often nodes are looked at. */
  readonly intervalMs: number
  /** Segments that are under way for balance at a time. 0: none is ever moved. */
  readonly maxMoves: number
  /** Differences of load below this share of the mean are left alone. */
  readonly tolerance: number
  readonly onWarning: (message: string, error: unknown) => void
}

interface Reported {
  readonly byCollection: ReadonlyMap<bigint, Holdings>
  readonly failures: ReadonlyMap<bigint, string>
}

/** While something is under way: what nodes do not tell of themselves is seen after so long. */
const BUSY_MS = 50

export class QueryCoord {
  readonly #options: QueryCoordOptions
  readonly #unsubscribe: () => void
  readonly #dirty = new Set<bigint>()
  readonly #retiredAt = new Map<string, number>()
  /** When something of a collection can be dropped. */
  readonly #dropAt = new Map<bigint, number>()
  readonly #moves = new Map<bigint, ReadonlyMap<bigint, bigint>>()
  #reports: ReadonlyMap<bigint, Reported> = new Map()
  #loads = new NodeLoads([])
  #nodesSeen = ''
  #running: Promise<void> | undefined
  #isAsked = false
  #cancelTimer: (() => void) | undefined
  #closed = false

  constructor(options: QueryCoordOptions) {
    this.#options = options
    this.#unsubscribe = options.meta.onChange((change) => this.#follow(change))
    for (const id of [...options.store.collectionIds(), ...options.meta.collections().map((collection) => collection.id)]) this.#dirty.add(id)
    this.kick()
  }

  /** Something may have changed at the nodes. */
  kick(): void {
    if (this.#closed) return
    this.#isAsked = true
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
      if (!this.#closed) this.#schedule()
    })
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#unsubscribe()
    this.#cancelTimer?.()
    await this.#running
  }

  /** Undefined for a collection that is not to be loaded. */
  loadProgress(collectionId: bigint): LoadProgress | undefined {
    const { meta, store } = this.#options
    const load = meta.load(collectionId)
    if (load === undefined) return undefined
    const missing = missingReplicas(store.replicas(collectionId), load)
    if (missing === undefined) return { percent: 0, failure: undefined }
    if (missing.length === 0) return { percent: 100, failure: undefined }
    const failure = missing.flatMap(({ nodeIds }) => nodeIds.map((id) => this.#reports.get(id)?.failures.get(collectionId))).find((reason) => reason !== undefined)
    const percent = Math.min(...missing.map((record) => loadedPercent({ ...record, current: undefined }, (id) => this.#reports.get(id)?.byCollection.get(collectionId))))
    return { percent, failure }
  }

  /** Moves segments from one node to others; resolves when reads find them there. Rejects with MilvusError. */
  async moveSegments(collectionId: bigint, from: bigint, to: readonly bigint[], segmentIds: readonly bigint[]): Promise<void> {
    const { store, nodes } = this.#options
    const record = store.replicas(collectionId).find((replica) => replica.nodeIds.includes(from))
    if (record?.current === undefined) throw new MilvusError(901, `node not found[node=${from}]`)
    const living = nodes().map(({ nodeId }) => nodeId)
    const targets = to.length === 0 ? record.nodeIds.filter((id) => id !== from) : to
    for (const id of targets) if (!living.includes(id) || !record.nodeIds.includes(id)) throw new MilvusError(901, `destination node not found in the same replica[node=${id}]`)
    if (targets.length === 0) throw new MilvusError(Code.Unexpected, 'there is no other query node in the replica, its segments cannot be moved')
    const held = record.current.segments.filter(({ nodeId }) => nodeId === from).map(({ segmentId }) => segmentId)
    const missing = segmentIds.find((id) => !held.includes(id))
    if (missing !== undefined) throw new MilvusError(Code.SegmentNotFound, `segment ${missing} not found in source node ${from}`)
    const wanted = segmentIds.length === 0 ? held : segmentIds
    const moves = new Map(wanted.map((id, i) => [id, targets[i % targets.length] as bigint]))
    this.#moves.set(collectionId, moves)
    this.#dirty.add(collectionId)
    try {
      await this.#until(collectionId, () => {
        const now = store.replicas(collectionId).find(({ replicaId }) => replicaId === record.replicaId)?.current
        return now === undefined || now.segments.every(({ segmentId, nodeId }) => (moves.get(segmentId) ?? nodeId) === nodeId)
      })
    } finally {
      if (this.#moves.get(collectionId) === moves) this.#moves.delete(collectionId)
    }
  }

  /** Replicas of a collection to another resource group; resolves when it is decided. */
  async transferReplicas(collectionId: bigint, from: string, to: string, count: number): Promise<void> {
    const { store } = this.#options
    await this.#alone(async () => {
      const moved = store.replicas(collectionId).filter(({ resourceGroup }) => resourceGroup === from).slice(0, count)
      await store.save(moved.map((record) => ({ collectionId, replicaId: record.replicaId, after: { ...record, resourceGroup: to } })))
    })
    this.#dirty.add(collectionId)
    this.kick()
  }

  #follow(change: MetaChange): void {
    const id = change.kind === 'collection' ? change.id : change.kind === 'load' ? change.collectionId : (change.after ?? change.before)?.collectionId
    if (id === undefined) return
    this.#dirty.add(id)
    this.kick()
  }

  #schedule(): void {
    this.#cancelTimer?.()
    const { clock, intervalMs } = this.#options
    const now = clock.monotonic()
    const next = Math.min(this.#dirty.size > 0 ? BUSY_MS : intervalMs, intervalMs, ...[...this.#dropAt.values()].map((at) => Math.max(1, at - now)))
    this.#cancelTimer = clock.setTimer(() => this.kick(), next)
  }

  async #run(): Promise<void> {
    // A turn later: the change that woke us is told to others first.
    await Promise.resolve()
    while (this.#isAsked && !this.#closed) {
      this.#isAsked = false
      try {
        await this.#round()
      } catch (error) {
        if (!this.#closed) this.#options.onWarning('placing segments on query nodes failed, and is tried again', error)
        return
      }
    }
  }

  /** What is decided elsewhere does not come between a round's reading and its writing. */
  async #alone<T>(work: () => Promise<T>): Promise<T> {
    while (this.#running !== undefined) await this.#running
    const done = work()
    this.#running = done.then(() => undefined, () => undefined).finally(() => {
      this.#running = undefined
    })
    return done
  }

  async #round(): Promise<void> {
    const { store, meta, allocateId } = this.#options
    const nodes = [...this.#options.nodes()].sort((a, b) => (a.nodeId < b.nodeId ? -1 : 1))
    this.#seeNodes(nodes)
    const now = this.#options.clock.monotonic()
    for (const [id, at] of this.#dropAt) if (at <= now) this.#dirty.add(id)
    if (this.#dirty.size === 0) return
    this.#reports = await reportsOf(nodes, [...this.#dirty])
    const due = [...this.#dirty].sort((a, b) => (a < b ? -1 : 1))
    const fresh: bigint[] = []
    for (const id of due) for (let missing = (meta.load(id)?.replicaNumber ?? 0) - store.replicas(id).length; missing > 0; missing--) fresh.push(await allocateId())
    let moves = this.#options.maxMoves
    const changes: ReplicaChange[] = []
    for (const id of due) {
      const before = store.replicas(id)
      const after = this.#stepCollection(id, before, nodes, () => fresh.pop() ?? 0n, moves)
      moves = Math.max(0, moves - movesOf(before, after))
      const changed = changesOf(id, before, after)
      changes.push(...changed)
      if (changed.length === 0 && this.#isAtRest(id, after, moves > 0 || this.#options.maxMoves === 0)) this.#dirty.delete(id)
      this.#noteRetired(id, after)
    }
    if (changes.length > 0) await store.save(changes)
    if (changes.length > 0) this.#isAsked = true
  }

  /** Other nodes, or nodes elsewhere: every collection is looked at. */
  #seeNodes(nodes: readonly CoordNode[]): void {
    const { store, meta, resourceGroupOf } = this.#options
    const seen = nodes.map(({ nodeId, capacity, incarnation }) => `${nodeId}/${incarnation}/${capacity}/${resourceGroupOf(nodeId)}`).join(' ')
    if (seen === this.#nodesSeen) return
    this.#nodesSeen = seen
    this.#loads = new NodeLoads(nodes)
    for (const id of store.collectionIds()) {
      this.#dirty.add(id)
      for (const { current, next } of store.replicas(id)) {
        const target = next ?? current
        if (target !== undefined) this.#loads.count(target, (segmentId) => meta.segment(segmentId)?.bytes ?? 0)
      }
    }
  }

  #stepCollection(id: bigint, before: readonly ReplicaRecord[], nodes: readonly CoordNode[], newId: () => bigint, maxMoves: number): readonly ReplicaRecord[] {
    const { meta, resourceGroupOf, tolerance } = this.#options
    const load = meta.load(id)
    const collection = meta.collectionById(id)
    if (load === undefined || collection === undefined) return []
    const records = before.length === load.replicaNumber ? before : wantedReplicas(before, groupsOf(load), id, newId)
    const wanted = wantedContents(meta, collection, load)
    const holdings = (nodeId: bigint): Holdings | undefined => this.#reports.get(nodeId)?.byCollection.get(id)
    return withNodes(records, (group) => nodes.map(({ nodeId }) => nodeId).filter((nodeId) => resourceGroupOf(nodeId) === group)).map((record) =>
      stepReplica({
        record,
        wanted,
        holdings,
        exists: (segmentId) => meta.segment(segmentId) !== undefined,
        isOver: (version) => this.#isOver(record, version),
        loads: this.#loads,
        bytesOf: (segmentId) => meta.segment(segmentId)?.bytes ?? 0,
        maxMoves,
        tolerance,
        moves: this.#moves.get(id),
      }),
    )
  }

  /** Nothing is under way, and what is current is there. */
  #isAtRest(id: bigint, records: readonly ReplicaRecord[], hadMoves: boolean): boolean {
    if (this.#options.meta.load(id) === undefined) return records.length === 0
    if (!hadMoves || this.#moves.has(id)) return false
    const holdings = (nodeId: bigint): Holdings | undefined => this.#reports.get(nodeId)?.byCollection.get(id)
    return records.every(({ current, next }) => current !== undefined && next === undefined && isLoaded(current, { holdings }))
  }

  #noteRetired(id: bigint, records: readonly ReplicaRecord[]): void {
    const times = records.flatMap((record) => record.retired.map(({ version }) => this.#retired(record, version)))
    if (times.length === 0) this.#dropAt.delete(id)
    else this.#dropAt.set(id, Math.min(...times) + this.#options.graceMs)
  }

  #retired({ replicaId }: ReplicaRecord, version: number): number {
    const key = `${replicaId}/${version}`
    let at = this.#retiredAt.get(key)
    if (at === undefined) this.#retiredAt.set(key, (at = this.#options.clock.monotonic()))
    return at
  }

  /** One that another coordinator retired is kept as long again. */
  #isOver(record: ReplicaRecord, version: number): boolean {
    const isOver = this.#options.clock.monotonic() - this.#retired(record, version) >= this.#options.graceMs
    if (isOver) this.#retiredAt.delete(`${record.replicaId}/${version}`)
    return isOver
  }

  /** Resolves when it holds after a change of the collection's replicas. */
  #until(collectionId: bigint, holds: () => boolean): Promise<void> {
    const { store, clock } = this.#options
    return new Promise((resolve, reject) => {
      const look = (): void => {
        if (!holds()) return
        stop()
        resolve()
      }
      const unsubscribe = store.onChange((id) => {
        if (id === collectionId) look()
      })
      const cancelTimer = clock.setTimer(() => {
        stop()
        reject(new MilvusError(Code.NotReady, 'service not ready: segments are still being moved'))
      }, MOVE_TIMEOUT_MS)
      const stop = (): void => {
        unsubscribe()
        cancelTimer()
      }
      look()
      this.kick()
    })
  }
}

const MOVE_TIMEOUT_MS = 60_000

async function reportsOf(nodes: readonly CoordNode[], collectionIds: readonly bigint[]): Promise<ReadonlyMap<bigint, Reported>> {
  const reports = new Map<bigint, Reported>()
  await Promise.all(
    nodes.map(async (node) => {
      // A node that does not say what it has has nothing, for now.
      const held = await node.holdings(collectionIds).catch(() => [])
      const byCollection = new Map(held.map(({ collectionId, segmentIds, growing }) => [collectionId, { segmentIds: new Set(segmentIds), growingFrom: new Map(growing.map(({ vchannel, fromTs }) => [vchannel, fromTs])) }]))
      const failures = new Map(held.flatMap(({ collectionId, failure }) => (failure === undefined ? [] : [[collectionId, failure] as const])))
      reports.set(node.nodeId, { byCollection, failures })
    }),
  )
  return reports
}

function groupsOf({ replicaNumber, resourceGroups = [] }: LoadMeta): string[] {
  return Array.from({ length: replicaNumber }, (_, i) => resourceGroups[Math.min(i, resourceGroups.length - 1)] ?? DEFAULT_RESOURCE_GROUP)
}

function changesOf(collectionId: bigint, before: readonly ReplicaRecord[], after: readonly ReplicaRecord[]): ReplicaChange[] {
  const gone = before.filter(({ replicaId }) => !after.some((record) => record.replicaId === replicaId))
  const changed = after.filter((record) => !before.includes(record))
  return [...gone.map(({ replicaId }) => ({ collectionId, replicaId, after: undefined })), ...changed.map((record) => ({ collectionId, replicaId: record.replicaId, after: record }))]
}

/** Segments that a round sets in motion. */
function movesOf(before: readonly ReplicaRecord[], after: readonly ReplicaRecord[]): number {
  let count = 0
  for (const { next, current, replicaId } of after) {
    if (next === undefined || current === undefined || before.find((record) => record.replicaId === replicaId)?.next === next) continue
    const places = new Map(current.segments.map(({ segmentId, nodeId }) => [segmentId, nodeId]))
    for (const { segmentId, nodeId } of next.segments) if ((places.get(segmentId) ?? nodeId) !== nodeId) count++
  }
  return count
}
