/** How much each query node carries, and who carries least. */
import type { ReplicaTarget } from '../model/target.ts'

export interface LoadNode {
  readonly nodeId: bigint
  /** What it can carry, beside others: twice the capacity takes twice the bytes. */
  readonly capacity: number
}

interface Load {
  readonly capacity: number
  bytes: number
  leaders: number
}

export class NodeLoads {
  readonly #loads: Map<bigint, Load>

  constructor(nodes: readonly LoadNode[]) {
    this.#loads = new Map(nodes.map(({ nodeId, capacity }) => [nodeId, { capacity, bytes: 0, leaders: 0 }]))
  }

  /** Counts a target's parts on the nodes that there are. */
  count({ shards, segments }: ReplicaTarget, bytesOf: (segmentId: bigint) => number): void {
    for (const { leader } of shards) this.lead(leader)
    for (const { segmentId, nodeId } of segments) this.add(nodeId, bytesOf(segmentId))
  }

  add(nodeId: bigint, bytes: number): void {
    const load = this.#loads.get(nodeId)
    if (load !== undefined) load.bytes += bytes
  }

  lead(nodeId: bigint): void {
    const load = this.#loads.get(nodeId)
    if (load !== undefined) load.leaders++
  }

  unlead(nodeId: bigint): void {
    const load = this.#loads.get(nodeId)
    if (load !== undefined) load.leaders--
  }

  /** By capacity. */
  bytes(nodeId: bigint): number {
    const load = this.#loads.get(nodeId)
    return load === undefined ? 0 : load.bytes / load.capacity
  }

  /** By capacity. */
  leaders(nodeId: bigint): number {
    const load = this.#loads.get(nodeId)
    return load === undefined ? 0 : load.leaders / load.capacity
  }

  capacity(nodeId: bigint): number {
    return this.#loads.get(nodeId)?.capacity ?? 1
  }
}

/** A heap of nodes by load: what is taken makes its node heavier. Equal loads go by id, so that the same comes out each time. */
export class LeastLoaded {
  readonly #heap: { readonly id: bigint; load: number }[]

  constructor(nodeIds: readonly bigint[], loadOf: (nodeId: bigint) => number) {
    if (nodeIds.length === 0) throw new RangeError('expected `nodeIds` to name at least one node, got none')
    this.#heap = nodeIds.map((id) => ({ id, load: loadOf(id) })).sort(compare)
  }

  /** The lightest node, which carries so much more from now on. */
  take(weight: number): bigint {
    const heap = this.#heap
    const top = heap[0] as (typeof heap)[number]
    top.load += weight
    for (let at = 0; ; ) {
      const left = 2 * at + 1
      if (left >= heap.length) break
      const right = left + 1
      const least = right < heap.length && compare(heap[right] as typeof top, heap[left] as typeof top) < 0 ? right : left
      if (compare(heap[least] as typeof top, top) >= 0) break
      heap[at] = heap[least] as typeof top
      heap[least] = top
      at = least
    }
    return top.id
  }
}

function compare(a: { readonly id: bigint; readonly load: number }, b: { readonly id: bigint; readonly load: number }): number {
  return a.load - b.load || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)
}
