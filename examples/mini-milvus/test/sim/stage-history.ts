/**
 * What each client of rule `flush` did, and what everybody saw, held against a model when all is over. Clients write rows of their own:
 * so what is seen of a client is one of the states that its flushes made, whole, and never an earlier one than somebody saw before. What
 * is broken is named by the rule that it breaks (stage-verdict.ts).
 */
import { ownerOf, sameRows, VERSIONS, type Commit, type Read, type Rows, type StageOp } from './stage-model.ts'
import { explain, type Broken } from './stage-verdict.ts'

/** Reads that are wrong are explained together, so many. */
const EXPLAINED = 6

export class StageHistory {
  readonly #chains = new Map<number, Commit[]>()
  readonly #ops = new Map<number, StageOp[]>()
  readonly #reads: Read[] = []
  readonly #ends: number[] = []
  #order = 0

  tick(): number {
    return (this.#order += 1)
  }

  chain(owner: number): Commit[] {
    let chain = this.#chains.get(owner)
    if (chain === undefined) this.#chains.set(owner, (chain = [{ state: new Map(), ops: [], sent: 0, done: 0, void: Infinity }]))
    return chain
  }

  wrote(owner: number, op: StageOp): void {
    const ops = this.#ops.get(owner)
    if (ops === undefined) this.#ops.set(owner, [op])
    else ops.push(op)
  }

  /** The node went, and with it what was not flushed. */
  nodeEnded(): void {
    this.#ends.push(this.tick())
  }

  read(read: Read): void {
    this.#reads.push(read)
  }

  /** What was seen and must not have been; each begins with the rule that it breaks. */
  violations(): string[] {
    const found: { readonly broken: Broken; readonly text: string }[] = []
    for (const [owner, chain] of this.#chains) {
      const wrong = this.#checkOwner(owner, chain)
      if (wrong !== undefined) found.push(wrong)
    }
    const owners = new Set(this.#chains.keys())
    for (const { rows, collection, how, by } of this.#reads) {
      for (const [key, value] of rows) if (!owners.has(ownerOf(value))) found.push({ broken: 'unknown', text: `${by}: ${how} of ${collection} saw ${key} ${value} of nobody` })
    }
    // What most clients suffer from comes first.
    const times = new Map<Broken, number>()
    for (const { broken } of found) times.set(broken, (times.get(broken) ?? 0) + 1)
    return found.sort((a, b) => (times.get(b.broken) ?? 0) - (times.get(a.broken) ?? 0)).map(({ broken, text }) => `${broken}: ${text}`)
  }

  #checkOwner(owner: number, chain: readonly Commit[]): { readonly broken: Broken; readonly text: string } | undefined {
    const byStart = [...this.#reads].sort((a, b) => a.start - b.start)
    const ended: { readonly end: number; readonly least: number }[] = []
    const wrong: { readonly read: Read; readonly rows: Rows; readonly least: number; readonly fitting: readonly number[] }[] = []
    for (const read of byStart) {
      const rows = new Map([...read.rows].filter(([, value]) => ownerOf(value) === owner))
      const least = Math.max(0, ...ended.filter(({ end }) => end < read.start).map((before) => before.least))
      const fitting = chain.map((_commit, index) => index).filter((index) => mayBeSeen(chain, index, read) && sameRows(rows, chain[index]?.state.get(read.collection)))
      const own = read.own?.owner === owner ? read.own : undefined
      const allowed = fitting.filter((index) => index >= least && (own === undefined || (index >= own.least() && index <= own.most)))
      if (allowed.length > 0) ended.push({ end: read.end, least: Math.min(...allowed) })
      else if (wrong.push({ read, rows, least, fitting }) === EXPLAINED) break
    }
    const [first] = wrong
    if (first === undefined) return undefined
    const ops = (this.#ops.get(owner) ?? []).map((op) => ({ ...op, apply: op.apply, original: op, droppedAt: Math.min(op.droppedAt, this.#ends.find((at) => at > op.at) ?? Infinity) }))
    const later = (op: StageOp, read: Read): boolean => this.#reads.some((other) => other.start > read.end && touches(op, other))
    const broken = explain({ chain, ops, wrong: wrong.map((scene) => ({ ...scene, isOwn: scene.read.own?.owner === owner, candidates: chain.map((_commit, index) => index).filter((index) => mayBeSeen(chain, index, scene.read)) })), isSeenLater: later })
    const { read, rows, least, fitting } = first
    const why = fitting.length === 0 ? 'expected one of its states' : `expected one at or behind flush ${Math.max(least, read.own?.owner === owner ? read.own.least() : 0)}, saw ${fitting.join(' or ')}`
    const states = chain.map((commit, index) => `${index}: ${commit.sent}-${commit.done}${commit.void < Infinity ? ` void ${commit.void}` : ''} ${text(commit.state.get(read.collection))}`)
    return { broken, text: `${read.by}: ${read.how} of ${read.collection} at ${read.start} to ${read.end} saw of client ${owner} ${text(rows)}: ${why} [${states.join('; ')}]` }
  }
}

/** Whether the read shows what only this write has left. */
function touches(op: StageOp, { collection, rows }: Read): boolean {
  if (collection !== op.collection) return false
  const left = new Map<string, string>()
  op.apply(left)
  return [...left].some(([key, value]) => rows.get(key) === value)
}

/** A commit may be seen from when it was asked for, and until a later one was done. */
function mayBeSeen(chain: readonly Commit[], index: number, { start, end }: Read): boolean {
  const commit = chain[index]
  if (commit === undefined || commit.sent >= end || commit.void <= start) return false
  return !chain.slice(index + 1).some((later) => later.done < start)
}

function text(rows: Rows | undefined): string {
  const short = (value: string): string => value.split('.').map((part) => Number(part) % VERSIONS).join('.')
  return `{${[...(rows ?? [])].map(([key, value]) => `${key}:${short(value)}`).sort().join(' ')}}`
}
