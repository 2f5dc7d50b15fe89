/** The query nodes of a cluster as its leader sees them: who is registered, and what each says that it holds. */
import type { NodeClock } from '../edge/system.ts'
import type { CoordNode } from '../querycoord/query-coord.ts'
import type { CollectionHoldings } from '../querynode/api.ts'
import type { Directory } from './directory.ts'
import type { Member } from './membership.ts'
import type { QueryServiceApi } from './query-service.ts'
import { Reach } from './reach.ts'

export interface QueryFleetOptions {
  readonly directory: Directory
  readonly apiOf: (address: string) => QueryServiceApi
  readonly clock: Pick<NodeClock, 'monotonic' | 'setTimer'>
  /** How often each is asked whether it is still the same. */
  readonly intervalMs: number
  /** Who has not answered for so long gets no duties until it does. */
  readonly awayAfterMs: number
  /** Somebody came, went or began anew. */
  readonly onChange: () => void
  readonly onProblem: (message: string, error: unknown) => void
}

interface Known {
  starts: number
  readonly held: Map<bigint, { readonly version: number; readonly holdings: CollectionHoldings }>
}

/** Query nodes that one process may have had in its life, in the number of an incarnation. */
const MAX_STARTS = 1_000_000

export class QueryFleet {
  readonly #options: QueryFleetOptions
  readonly #known = new Map<string, Known>()
  readonly #reach: Reach
  readonly #unsubscribe: () => void
  #cancelTimer: (() => void) | undefined
  #closed = false

  constructor(options: QueryFleetOptions) {
    this.#options = options
    this.#reach = new Reach(options.awayAfterMs)
    this.#unsubscribe = options.directory.onChange(() => this.#follow())
    this.#schedule()
  }

  /** Those that take new duties. If none answers, it may be this process that is cut off: all of them stay. */
  nodes(): CoordNode[] {
    const members = this.#members()
    const reached = members.filter(({ id }) => !this.#reach.isAway(id))
    return (reached.length === 0 ? members : reached).map((member) => ({
      nodeId: member.nodeId,
      capacity: 1,
      incarnation: Number(member.id.split('.')[1] ?? 0) * MAX_STARTS + this.#of(member).starts,
      holdings: (collectionIds) => this.#holdings(member, collectionIds),
    }))
  }

  close(): void {
    this.#closed = true
    this.#unsubscribe()
    this.#cancelTimer?.()
  }

  #members(): Member[] {
    return this.#options.directory.members('query').filter(({ stopping }) => !stopping)
  }

  #of(member: Member): Known {
    let known = this.#known.get(member.id)
    if (known === undefined) this.#known.set(member.id, (known = { starts: 0, held: new Map() }))
    return known
  }

  #follow(): void {
    const ids = new Set(this.#options.directory.members('query').map(({ id }) => id))
    for (const id of this.#known.keys()) if (!ids.has(id)) this.#known.delete(id)
    this.#reach.keep(ids)
    this.#options.onChange()
  }

  async #holdings(member: Member, collectionIds: readonly bigint[]): Promise<readonly CollectionHoldings[]> {
    const known = this.#of(member)
    const versions = new Map(collectionIds.flatMap((id) => {
      const version = known.held.get(id)?.version
      return version === undefined ? [] : [[id, version] as const]
    }))
    const { starts, held } = await this.#options.apiOf(member.address).holdings({ collectionIds, known: versions })
    if (starts !== known.starts) {
      known.starts = starts
      this.#options.onChange()
    }
    for (const id of collectionIds) {
      const told = held.get(id)
      if (told === undefined) known.held.delete(id)
      else if (told.holdings !== undefined) known.held.set(id, { version: told.version, holdings: told.holdings })
      // What it says that we know is what it was when we asked; another question may have brought more since.
    }
    return collectionIds.flatMap((id) => known.held.get(id)?.holdings ?? [])
  }

  #schedule(): void {
    if (this.#closed) return
    this.#cancelTimer = this.#options.clock.setTimer(() => {
      void Promise.all(this.#members().map((member) => this.#greet(member))).then(() => this.#schedule())
    }, this.#options.intervalMs)
  }

  async #greet(member: Member): Promise<void> {
    const { clock, onChange, onProblem } = this.#options
    try {
      await this.#holdings(member, [])
      if (this.#reach.answered(member.id)) onChange()
    } catch (error) {
      if (this.#closed || !this.#reach.failed(member.id, clock.monotonic())) return
      onProblem(`query node ${member.nodeId} at ${member.address} is registered but does not answer: others get its segments until it does`, error)
      onChange()
    }
  }
}
