/**
 * Several query nodes in one process. They share its engine and its stores, and nothing else: each follows the log by itself and
 * holds what targets give it, and reads go to them as they would go to other machines.
 */
import type { Status } from '@timetick/watchdog'
import type { MetaReader } from '../coordinator/api.ts'
import type { NodeClock } from '../edge/system.ts'
import { DEFAULT_RESOURCE_GROUP } from '../model/resource-group.ts'
import { heldTargets, type ReplicaRecord, type TargetReader } from '../model/target.ts'
import { ReadRouter } from '../proxy/read-router.ts'
import { QueryCoord, type CoordNode } from '../querycoord/query-coord.ts'
import { openTargetStore, type TargetStore, type TargetStoreOptions } from '../querycoord/target-store.ts'
import type { LoadProgress, QueryNodeApi } from '../querynode/api.ts'
import type { QueryNode } from '../querynode/query-node.ts'
import type { Placement, QueryRole } from './query-role.ts'
import type { Role } from './role.ts'

export interface QueryGroupOptions {
  readonly meta: MetaReader
  readonly kv: TargetStoreOptions['kv']
  readonly clock: NodeClock
  readonly allocateId: () => Promise<bigint>
  /** How many there are to be, and when that changes. */
  readonly count: () => number
  readonly onCount: (listener: () => void) => () => void
  /** A query node under the watchdog that is not started yet. */
  readonly createNode: (nodeId: bigint, targets: TargetReader, onHoldings: () => void) => Role<QueryNode>
  readonly maxWaitMs: number
  readonly graceMs: number
  readonly intervalMs: number
  readonly maxMoves: () => number
  readonly tolerance: number
  readonly onWarning: (message: string, error: unknown) => void
}

interface Member {
  readonly nodeId: bigint
  readonly role: Role<QueryNode>
  /** Gets nothing more, and goes when nothing is left on it. */
  isLeaving: boolean
}

export class QueryGroup implements QueryRole, Placement {
  readonly id = 'query-node'
  readonly #options: QueryGroupOptions
  readonly #members = new Map<bigint, Member>()
  readonly #unsubscribes: (() => void)[] = []
  #groupOf: (nodeId: bigint) => string = () => DEFAULT_RESOURCE_GROUP
  #store: TargetStore | undefined
  #coord: QueryCoord | undefined
  #router: ReadRouter | undefined
  /** Joins and leaves, one after the other. */
  #tail: Promise<void> = Promise.resolve()
  #closed = false

  constructor(options: QueryGroupOptions) {
    this.#options = options
  }

  get placement(): Placement {
    return this
  }

  get current(): QueryNodeApi {
    if (this.#router === undefined) throw new Error('the query nodes are not started')
    return this.#router
  }

  async start(): Promise<void> {
    try {
      await this.#open()
    } catch (error) {
      await this.close()
      throw error
    }
  }

  async #open(): Promise<void> {
    const { kv, meta, clock, allocateId, count, onCount, maxWaitMs, graceMs, intervalMs, maxMoves, tolerance, onWarning } = this.#options
    const store = (this.#store = await openTargetStore({ kv }))
    for (let id = 1n; id <= BigInt(count()); id++) await this.#join(id)
    const coord = (this.#coord = new QueryCoord({ meta, store, clock, allocateId, graceMs, intervalMs, maxMoves: maxMoves(), tolerance, onWarning, nodes: () => this.#coordNodes(), resourceGroupOf: (nodeId) => this.#groupOf(nodeId) }))
    this.#router = new ReadRouter({ meta, targets: store, clock, maxWaitMs, node: (nodeId) => this.#living(nodeId), nodeIds: () => this.nodeIds(), loadProgress: (collectionId): LoadProgress | undefined => coord.loadProgress(collectionId) })
    this.#unsubscribes.push(onCount(() => this.#recount()), store.onChange(() => this.#letGo()))
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    for (const unsubscribe of this.#unsubscribes) unsubscribe()
    await this.#coord?.close()
    await this.#tail
    await Promise.all([...this.#members.values()].map(({ role }) => role.close()))
  }

  /** Healthy while somebody answers reads. */
  status(): Status {
    return this.nodeIds().length > 0 ? 'healthy' : 'unhealthy'
  }

  nodeIds(): readonly bigint[] {
    return [...this.#members.values()].filter(({ role }) => role.status() === 'healthy').map(({ nodeId }) => nodeId)
  }

  oldestReader(pchannel: string): bigint | undefined {
    let oldest: bigint | undefined
    for (const { role } of this.#members.values()) {
      const ts = role.status() === 'healthy' ? role.current.serviceTimes().get(pchannel) : 0n
      if (ts !== undefined && (oldest === undefined || ts < oldest)) oldest = ts
    }
    return oldest
  }

  replicas(collectionId: bigint): readonly ReplicaRecord[] {
    return this.#store?.replicas(collectionId) ?? []
  }

  /** Collections that have replicas. */
  collectionIds(): readonly bigint[] {
    return this.#store?.collectionIds() ?? []
  }

  segments(nodeId: bigint): readonly { readonly collectionId: bigint; readonly segmentId: bigint }[] {
    const node = this.#living(nodeId)
    return node === undefined ? [] : this.#options.meta.collections().flatMap(({ id }) => node.segments(id))
  }

  async moveSegments(collectionId: bigint, from: bigint, to: readonly bigint[], segmentIds: readonly bigint[]): Promise<void> {
    await this.#coord?.moveSegments(collectionId, from, to, segmentIds)
  }

  async transferReplicas(collectionId: bigint, from: string, to: string, count: number): Promise<void> {
    await this.#coord?.transferReplicas(collectionId, from, to, count)
  }

  useResourceGroups(groupOf: (nodeId: bigint) => string): void {
    this.#groupOf = groupOf
    this.#coord?.kick()
  }

  /** The role of a node, as the watchdog has it. */
  member(nodeId: bigint): Role<QueryNode> | undefined {
    return this.#members.get(nodeId)?.role
  }

  #living(nodeId: bigint): QueryNode | undefined {
    const role = this.#members.get(nodeId)?.role
    return role?.status() === 'healthy' ? role.current : undefined
  }

  #coordNodes(): CoordNode[] {
    return [...this.#members.values()].flatMap(({ nodeId, role, isLeaving }) => {
      if (isLeaving || role.status() !== 'healthy') return []
      const node = role.current
      return [{ nodeId, capacity: 1, incarnation: role.starts, holdings: async (ids: readonly bigint[]) => node.holdings(ids) }]
    })
  }

  async #join(nodeId: bigint): Promise<void> {
    const store = this.#store as TargetStore
    const role = this.#options.createNode(nodeId, store, () => this.#coord?.kick())
    // From now on the log is kept for it.
    this.#members.set(nodeId, { nodeId, role, isLeaving: false })
    try {
      await role.start()
    } catch (error) {
      this.#members.delete(nodeId)
      await role.close()
      throw error
    }
    this.#coord?.kick()
  }

  /** The highest ids go first, and come last. */
  #recount(): void {
    this.#tail = this.#tail.then(async () => {
      if (this.#closed) return
      const count = BigInt(this.#options.count())
      for (const member of this.#members.values()) member.isLeaving = member.nodeId > count
      try {
        for (let id = 1n; id <= count; id++) if (!this.#members.has(id)) await this.#join(id)
      } catch (error) {
        this.#options.onWarning('a query node could not start', error)
      }
      this.#coord?.kick()
      this.#letGo()
    })
  }

  /** Those that leave go when no target names them any more. */
  #letGo(): void {
    const leaving = [...this.#members.values()].filter(({ isLeaving }) => isLeaving)
    if (leaving.length === 0 || this.#closed) return
    const store = this.#store as TargetStore
    const targets = store.collectionIds().flatMap((id) => store.replicas(id)).flatMap(heldTargets)
    const named = new Set(targets.flatMap(({ shards, segments }) => [...shards.map(({ leader }) => leader), ...segments.map(({ nodeId }) => nodeId)]))
    for (const member of leaving) {
      if (named.has(member.nodeId)) continue
      this.#members.delete(member.nodeId)
      this.#tail = this.#tail.then(() => member.role.close())
    }
  }
}
