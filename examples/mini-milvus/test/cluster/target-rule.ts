/** A target becomes current only when its nodes have all of it: what they hold at that very moment, seen from beside them. */
import type { ClusterMember } from '../../src/cluster/member.ts'
import type { ReplicaRecord, ReplicaTarget } from '../../src/model/target.ts'
import { ReplicaTexts } from '../../src/querycoord/replica-texts.ts'
import { TARGET_ROOT } from '../../src/querycoord/target-store.ts'
import type { QueryNode } from '../../src/querynode/query-node.ts'
import type { World } from '../sim/world.ts'

const LOADS = 'meta/load/'

/** A target that is being loaded. */
interface Next {
  readonly version: number
  /** Query nodes as they were when it was decided: another one in the place of one of them begins with nothing. */
  readonly nodes: ReadonlyMap<bigint, QueryNode>
  /** Definitions of what is to be loaded, so far: nodes follow them before the targets do. */
  readonly loads: number
}

export class TargetRule {
  readonly #world: World
  readonly #members: () => readonly ClusterMember[]
  readonly #texts = new ReplicaTexts()
  readonly #nexts = new Map<bigint, Next>()
  readonly #loads = new Map<string, number>()

  constructor(world: World, members: () => readonly ClusterMember[]) {
    this.#world = world
    this.#members = members
  }

  /** What was just stored. */
  written(pairs: ReadonlyMap<string, string>, removals: readonly string[]): void {
    for (const key of [...pairs.keys(), ...removals]) if (key.startsWith(LOADS)) this.#loads.set(key.slice(LOADS.length), this.#loadsOf(key.slice(LOADS.length)) + 1)
    for (const key of removals) if (key.startsWith(TARGET_ROOT)) this.#texts.apply(key.slice(TARGET_ROOT.length), undefined)
    for (const [key, value] of pairs) if (key.startsWith(TARGET_ROOT)) this.#texts.apply(key.slice(TARGET_ROOT.length), value)
    for (const id of this.#texts.settle()) for (const record of this.#texts.replicas(id)) this.#see(record)
  }

  #see({ replicaId, collectionId, current, next }: ReplicaRecord): void {
    const known = this.#nexts.get(replicaId)
    const loads = this.#loadsOf(String(collectionId))
    if (known !== undefined && current?.version === known.version) {
      this.#nexts.delete(replicaId)
      if (known.loads === loads) this.#check(collectionId, current, known)
    }
    if (next !== undefined && next.version !== known?.version) this.#nexts.set(replicaId, { version: next.version, nodes: this.#nodes(), loads })
  }

  #check(collectionId: bigint, target: ReplicaTarget, { nodes, version }: Next): void {
    const present = this.#nodes()
    this.#world.sometimes('a target became current')
    for (const [nodeId, node] of nodes) {
      if (present.get(nodeId) !== node) continue
      const held = node.holdings([collectionId])[0]
      const missing = target.segments.find((place) => place.nodeId === nodeId && held?.segmentIds.includes(place.segmentId) !== true)
      if (missing !== undefined) this.#world.violated(`target ${version} is current, but node ${nodeId} has not loaded segment ${missing.segmentId} of it`)
    }
  }

  #nodes(): Map<bigint, QueryNode> {
    return new Map(this.#members().flatMap(({ membership, own: { queryNode } }) => (queryNode?.status() === 'healthy' ? [[membership.nodeId, queryNode.current] as const] : [])))
  }

  #loadsOf(collectionId: string): number {
    return this.#loads.get(collectionId) ?? 0
  }
}
