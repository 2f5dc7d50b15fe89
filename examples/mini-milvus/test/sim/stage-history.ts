/**
 * What each client of rule `flush` did, and what everybody saw, held against a model when all is over. Clients write rows of their own:
 * so what is seen of a client is one of the states that its flushes made, whole, and never an earlier one than somebody saw before.
 */

/** Versions of rows by key. */
export type Rows = ReadonlyMap<string, number>
/** By collection. */
export type State = ReadonlyMap<string, Rows>

export interface Commit {
  readonly state: State
  /** Place in the order of all that happened. */
  readonly sent: number
  /** Everybody sees it from then on; Infinity: nobody was told so. */
  done: number
  /** Nobody sees it from then on. */
  void: number
}

export interface Read {
  readonly by: string
  readonly collection: string
  readonly rows: Rows
  readonly start: number
  end: number
  /** Flushes of the reader itself that were sent before it, or are to be seen by it; by their place in its chain. */
  readonly own?: { readonly owner: number; readonly least: () => number; readonly most: number } | undefined
  readonly how: string
}

export const VERSIONS = 1_000_000

export class StageHistory {
  readonly #chains = new Map<number, Commit[]>()
  readonly #reads: Read[] = []
  #order = 0

  tick(): number {
    return (this.#order += 1)
  }

  chain(owner: number): Commit[] {
    let chain = this.#chains.get(owner)
    if (chain === undefined) this.#chains.set(owner, (chain = [{ state: new Map(), sent: 0, done: 0, void: Infinity }]))
    return chain
  }

  read(read: Read): void {
    this.#reads.push(read)
  }

  /** What was seen and must not have been. */
  violations(): string[] {
    const found: string[] = []
    for (const [owner, chain] of this.#chains) this.#checkOwner(owner, chain, found)
    const owners = new Set(this.#chains.keys())
    for (const { rows, collection, how, by } of this.#reads) {
      for (const [key, version] of rows) if (!owners.has(Math.floor(version / VERSIONS))) found.push(`${by}: ${how} of ${collection} saw ${key} version ${version} of nobody`)
    }
    return found
  }

  #checkOwner(owner: number, chain: readonly Commit[], found: string[]): void {
    const byStart = [...this.#reads].sort((a, b) => a.start - b.start)
    const ended: { readonly end: number; readonly least: number }[] = []
    for (const read of byStart) {
      const rows = new Map([...read.rows].filter(([, version]) => Math.floor(version / VERSIONS) === owner))
      const least = Math.max(0, ...ended.filter(({ end }) => end < read.start).map((before) => before.least))
      const fitting = chain.map((_commit, index) => index).filter((index) => mayBeSeen(chain, index, read) && sameRows(rows, chain[index]?.state.get(read.collection)))
      const own = read.own?.owner === owner ? read.own : undefined
      const allowed = fitting.filter((index) => index >= least && (own === undefined || (index >= own.least() && index <= own.most)))
      if (allowed.length === 0) {
        const why = fitting.length === 0 ? 'expected one of its states' : `expected one at or behind flush ${Math.max(least, own?.least() ?? 0)}, saw ${fitting.join(' or ')}`
        found.push(`${read.by}: ${read.how} of ${read.collection} at ${read.start} to ${read.end} saw of client ${owner} ${text(rows)}: ${why} [${chain.map((commit, index) => `${index}: ${commit.sent}-${commit.done}${commit.void < Infinity ? ` void ${commit.void}` : ''} ${text(commit.state.get(read.collection))}`).join('; ')}]`)
        return
      }
      ended.push({ end: read.end, least: Math.min(...allowed) })
    }
  }
}

/** A commit may be seen from when it was asked for, and until a later one was done. */
function mayBeSeen(chain: readonly Commit[], index: number, { start, end }: Read): boolean {
  const commit = chain[index]
  if (commit === undefined || commit.sent >= end || commit.void <= start) return false
  return !chain.slice(index + 1).some((later) => later.done < start)
}

function sameRows(a: Rows, b: Rows | undefined): boolean {
  if (a.size !== (b?.size ?? 0)) return false
  for (const [key, version] of a) if (b?.get(key) !== version) return false
  return true
}

function text(rows: Rows | undefined): string {
  return `{${[...(rows ?? [])].map(([key, version]) => `${key}:${version % VERSIONS}`).sort().join(' ')}}`
}
