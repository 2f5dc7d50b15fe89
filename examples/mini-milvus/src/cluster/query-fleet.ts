/** The query nodes of a cluster as its leader sees them: who is registered, and what each says that it holds. */
import type { NodeClock } from '../edge/system.ts'
import type { CoordNode } from '../querycoord/query-coord.ts'
import type { CollectionHoldings } from '../querynode/api.ts'
import type { Directory } from './directory.ts'
import type { Member } from './membership.ts'
import type { QueryServiceApi } from './query-service.ts'

export interface QueryFleetOptions {
  readonly directory: Directory
  readonly apiOf: (address: string) => QueryServiceApi
  readonly clock: Pick<NodeClock, 'setTimer'>
  /** How often each is asked whether it is still the same. */
  readonly intervalMs: number
  /** Somebody came, went or began anew. */
  readonly onChange: () => void
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
  readonly #unsubscribe: () => void
  #cancelTimer: (() => void) | undefined
  #closed = false

  constructor(options: QueryFleetOptions) {
    this.#options = options
    this.#unsubscribe = options.directory.onChange(() => this.#follow())
    this.#schedule()
  }

  /** Those that take new duties. */
  nodes(): CoordNode[] {
    return this.#members().map((member) => ({
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
      void Promise.all(this.#members().map((member) => this.#holdings(member, []).catch(() => undefined))).then(() => this.#schedule())
    }, this.#options.intervalMs)
  }
}
