/** A client of rule `flush`: writes rows of its own in two collections, sends calls without waiting for their answers, flushes, reads, comes and goes. */
import { Code, MilvusError } from '../../src/server/status.ts'
import type { Cluster } from './cluster.ts'
import type { CommitWatch } from './commit-watch.ts'
import { queryRequest, rowsRequest, searchRequest, STRONG } from './requests.ts'
import { NoAnswer, type SimulatedNode } from './sim-node.ts'
import { StageConnection } from './stage-connection.ts'
import type { StageHistory } from './stage-history.ts'
import { ownerOf, sameRows, versionIn, VERSIONS, type Commit, type Rows, type StageOp, type State } from './stage-model.ts'
import { ADDED, answerOf, noteRows } from './stage-requests.ts'
import type { World } from './world.ts'

/** Keys are the client's in the first, the server's in the second. */
export const KEYED = 'f0'
export const AUTO = 'f1'
const COLLECTIONS: readonly string[] = [KEYED, AUTO]
const KEYS = 6

type Contents = Map<string, Map<string, string>>
type Outcome = 'yes' | 'no' | 'silence'

/** What all clients of a run share. */
export interface StageScene {
  readonly world: World
  readonly cluster: Cluster
  readonly history: StageHistory
  readonly commits: CommitWatch
  /** That the server gave. */
  readonly ids: Set<string>
  /** Names of fields that were added, by collection. */
  readonly added: ReadonlyMap<string, readonly string[]>
}

export class StageClient {
  readonly owner: number
  readonly #scene: StageScene
  readonly #world: World
  readonly #history: StageHistory
  /** Committed, as far as it knows. */
  #state: Contents = new Map([[KEYED, new Map()], [AUTO, new Map()]])
  #staged: StageOp[] = []
  /** Keys that are there when all calls that are sent succeed. */
  #expected = new Map<string, string>()
  #connection: StageConnection | undefined
  #version: number
  #connections = 0

  constructor(owner: number, scene: StageScene) {
    this.owner = owner
    this.#scene = scene
    this.#world = scene.world
    this.#history = scene.history
    this.#version = owner * VERSIONS
    scene.history.chain(owner)
  }

  /** Some calls, one after the other without a wait, then their answers. */
  async step(): Promise<void> {
    const { random } = this.#world
    const by = await this.#connect()
    if (by === undefined) return this.#world.sleep(50)
    const kinds = Array.from({ length: random.integer(1, 4) }, () => random.pick(['write', 'write', 'write', 'flush', 'read'] as const))
    if (kinds.length > 1) this.#world.sometimes('calls without a wait')
    this.#expected = after(this.#state.get(KEYED), this.#staged.filter(({ collection }) => collection === KEYED))
    const finish = kinds.map((kind) => (kind === 'write' ? this.#write(by) : kind === 'flush' ? this.#flush(by) : this.#read(by)))
    let silence = false
    for (const settle of finish) silence = (await settle()) === 'silence' || silence
    if (silence) await this.#lost(by.node)
    else if (random.chance(0.15)) this.disconnect()
    else if (by.hasIdentifier && random.chance(0.2)) await this.#reconnect(by)
  }

  /** What was not flushed is gone. */
  disconnect(): void {
    this.#world.note(`client ${this.owner} goes`)
    if (this.#staged.length > 0) this.#world.sometimes('discard')
    this.#connection?.close()
    this.#connection = undefined
    this.#dropStaged()
  }

  /** Someone emptied a collection, or the partition of odd keys, while none of the client's calls was under way. */
  emptied(collection: string, onlyOdd: boolean, sent: number, done: number): void {
    const isGone = (key: string): boolean => !onlyOdd || Number(key) % 2 === 1
    const next = copy(this.#state)
    const rows = next.get(collection) as Map<string, string>
    for (const key of rows.keys()) if (isGone(key)) rows.delete(key)
    this.#history.chain(this.owner).push({ state: next, ops: [], sent, isDefinition: true, done, void: Infinity })
    this.#state = next
    if (this.#staged.some((op) => op.collection === collection)) this.#world.sometimes('staged work dropped by a definition')
    for (const op of this.#staged) if (op.collection === collection) op.droppedAt = done
    const kept = (op: StageOp): StageOp => {
      const left: StageOp = { ...op, droppedAt: Infinity, apply: (all) => withoutKeys(all, isGone, op.apply) }
      this.#history.wrote(this.owner, left)
      return left
    }
    this.#staged = this.#staged.flatMap((op) => (op.collection !== collection ? [op] : onlyOdd ? [kept(op)] : []))
  }

  /** Reads both collections; whoever asks compares. */
  async readAll(how = 'read'): Promise<void> {
    for (const collection of COLLECTIONS) await this.#seen((rpc, request) => this.#scene.cluster.node.call(rpc, request, `reader-${this.owner}`), collection, how, STRONG.consistency_level)
  }

  async #connect(): Promise<StageConnection | undefined> {
    if (this.#connection?.node.alive === true) return this.#connection
    this.#dropStaged()
    this.#connection = undefined
    const base = `client-${this.owner}-${(this.#connections += 1)}`
    try {
      const { node } = this.#scene.cluster
      let identifier: bigint | undefined
      if (this.#world.random.chance(0.4)) {
        // Its first socket, which goes when the others are there.
        node.connect(base)
        identifier = (await node.call('Connect', { client_info: { sdk_type: 'simulated', user: `client ${this.owner}` } }, { peer: base, identifier: undefined })).identifier
        this.#world.sometimes('identifier')
      }
      this.#connection = new StageConnection(this.#world, node, base, identifier)
      if (identifier !== undefined) await this.#connection.call('HasCollection', { collection_name: 'any' }).catch(() => undefined)
      node.disconnect(base)
      return this.#connection.node.alive ? this.#connection : undefined
    } catch {
      return undefined
    }
  }

  async #reconnect(by: StageConnection): Promise<void> {
    const isInTime = this.#world.random.chance(0.5)
    this.#world.note(`client ${this.owner} comes back ${isInTime ? 'in time' : 'too late'}`)
    this.#world.sometimes(isInTime ? 'reconnect within the grace' : 'reconnect after the grace')
    if (!isInTime) this.#dropStaged()
    await by.reconnect(isInTime)
  }

  #dropStaged(): void {
    const at = this.#history.tick()
    for (const op of this.#staged) op.droppedAt = Math.min(op.droppedAt, at)
    this.#staged = []
  }

  /** Sends a write; the result takes its answer in. */
  #write(by: StageConnection): () => Promise<Outcome> {
    const { random } = this.#world
    const collection = random.pick(COLLECTIONS)
    const version = (this.#version += 1)
    const first = this.owner * KEYS
    const some = [...new Set(Array.from({ length: random.integer(1, 4) }, () => first + random.integer(0, KEYS - 1)))]
    const roll = random.integer(0, 9)
    if (roll < 2) {
      const span = random.integer(1, 6)
      const expr = `version >= ${version - span} and version < ${version}`
      this.#world.note(`client ${this.owner} deletes where ${expr}`)
      return this.#staging(collection, by.call('Delete', { collection_name: collection, expr }), () => (rows) => {
        for (const [key, value] of rows) if (versionIn(value) >= version - span && versionIn(value) < version) rows.delete(key)
      })
    }
    if (collection === AUTO) {
      this.#world.note(`client ${this.owner} inserts ${some.length} v${version}`)
      return this.#staging(collection, by.call('Insert', rowsRequest(collection, some, version, true)), (answer) => {
        const ids = (answer?.IDs?.int_id?.data ?? []).map(String)
        for (const id of ids) {
          if (this.#scene.ids.has(id)) this.#world.violated(`auto-id: ${id} was given twice`)
          this.#scene.ids.add(id)
        }
        return (rows) => ids.forEach((id) => rows.set(id, String(version)))
      })
    }
    if (roll < 4) {
      this.#world.note(`client ${this.owner} deletes ${some.join(' ')}`)
      return this.#staging(collection, by.call('Delete', { collection_name: collection, expr: `id in [${some.join(', ')}]` }), () => (rows) => some.forEach((key) => rows.delete(String(key))))
    }
    // A request names one partition.
    const keys = some.filter((key) => key % 2 === (some[0] as number) % 2)
    const known = keys.filter((key) => this.#expected.has(String(key)))
    const isPartial = known.length > 0 && random.chance(0.3)
    const upserted = isPartial ? known : keys
    if (isPartial) this.#world.sometimes('partial upsert')
    this.#world.note(`client ${this.owner} upserts ${isPartial ? 'in part ' : ''}${upserted.join(' ')} v${version}`)
    return this.#staging(collection, by.call('Upsert', noteRows(collection, upserted, version, isPartial)), () => (rows) => {
      // A write before it may have been refused: then its rows are not there, and it is left out.
      if (isPartial && upserted.some((key) => !rows.has(String(key)))) return
      for (const key of upserted.map(String)) rows.set(key, `${version}.${isPartial ? (rows.get(key)?.split('.')[1] ?? '') : version}`)
    })
  }

  #staging<T>(collection: string, sent: Promise<T>, take: (answer: T | undefined) => StageOp['apply']): () => Promise<Outcome> {
    const answered = settled(sent)
    if (collection === KEYED) take(undefined)(this.#expected)
    const at = this.#history.tick()
    return async () => {
      const answer = await answered
      const op: StageOp = { collection, at, apply: take(answer.outcome === 'yes' ? answer.value : undefined), droppedAt: answer.outcome === 'yes' ? Infinity : at }
      this.#history.wrote(this.owner, op)
      if (answer.outcome !== 'yes') return this.#no('write', answer)
      this.#staged.push(op)
      this.#world.sometimes('staged')
      return 'yes'
    }
  }

  /** The commit is in the chain from now on; what it holds is known when the answers before it are. */
  #flush(by: StageConnection): () => Promise<Outcome> {
    const names = this.#world.random.chance(0.7) ? [...COLLECTIONS] : [this.#world.random.pick(COLLECTIONS)]
    const chain = this.#history.chain(this.owner)
    const pending: { state: State; ops: readonly StageOp[] } & Omit<Commit, 'state' | 'ops'> = { state: new Map(), ops: [], sent: this.#history.tick(), done: Infinity, void: Infinity }
    chain.push(pending)
    this.#world.note(`client ${this.owner} flushes ${names.join(' ')}`)
    // The commit may have been done although what comes behind it failed.
    const send = () => settled(by.call('Flush', { collection_names: names })).then((answer) => ({ ...answer, isCommitted: this.#scene.commits.take(by.name) && answer.outcome === 'no' }))
    let answered = send()
    return async () => {
      const taken = this.#staged.filter(({ collection }) => names.includes(collection))
      const next = new Map([...this.#state].map(([name, rows]) => [name, after(rows, taken.filter(({ collection }) => collection === name))]))
      pending.state = next
      pending.ops = taken
      for (;;) {
        const answer = await answered
        if (answer.outcome === 'yes' || answer.isCommitted) {
          if (answer.outcome === 'yes') pending.done = this.#history.tick()
          this.#state = next
          this.#staged = this.#staged.filter((op) => !taken.includes(op))
          this.#world.sometimes(answer.outcome === 'yes' ? 'flush' : 'flush that was committed and not sealed')
          return 'yes'
        }
        if (answer.outcome === 'no') {
          // Nothing of it was committed, and nobody ever sees it.
          pending.void = 0
          this.#world.sometimes('flush refused')
          return this.#no('flush', answer)
        }
        if (!by.node.alive) return 'silence'
        answered = send()
      }
    }
  }

  #read(by: StageConnection): () => Promise<Outcome> {
    const { random } = this.#world
    const collection = random.pick(COLLECTIONS)
    const chain = this.#history.chain(this.owner)
    // Its own flushes before this read are seen by it, those behind it are not.
    const most = chain.length - 1
    const least = (): number => chain.findLastIndex((commit, index) => index <= most && commit.done < Infinity)
    const seeing = settled(this.#seen((rpc, request) => by.call(rpc, request), collection, 'pipelined read', random.pick([0, 2, 3]), { owner: this.owner, least, most }))
    return async () => {
      const answer = await seeing
      return answer.outcome === 'no' ? this.#no('read', answer) : answer.outcome
    }
  }

  async #seen(call: StageConnection['call'], collection: string, how: string, consistency_level: number, own?: { owner: number; least: () => number; most: number }): Promise<Rows> {
    const start = this.#history.tick()
    const consistency = { consistency_level, guarantee_timestamp: 0n }
    const isSearch = this.#world.random.chance(0.25)
    if (isSearch) this.#world.sometimes('search')
    const added = this.#scene.added.get(collection) ?? []
    const output_fields = ['version', ...(collection === KEYED ? ['note'] : []), ...added]
    const response = isSearch
      ? await call('Search', { ...searchRequest(collection, [0, 0], 1_000, consistency), output_fields })
      : await call('Query', queryRequest(collection, 'id >= 0', ['id', ...output_fields], consistency))
    const { ids, column } = answerOf(response)
    const [versions, notes] = [column('version'), column('note')]
    const rows = new Map<string, string>()
    ids.forEach((id, row) => {
      if (rows.has(id)) this.#world.violated(`once: ${collection}: ${how} saw ${id} twice`)
      rows.set(id, collection === KEYED ? `${versions[row]}.${notes[row]}` : String(versions[row]))
    })
    for (const name of added) if (column(name).length !== ids.length || column(name).some((value) => value !== ADDED)) this.#world.violated(`R4: ${collection}: ${how} saw ${name} without its default`)
    this.#history.read({ by: `client ${this.owner}`, collection, rows, start, end: this.#history.tick(), how: `${how} (level ${consistency_level})`, own })
    this.#world.sometimes(`read at level ${consistency_level}`)
    return rows
  }

  /** The node went in the middle: which of its last flushes count shows when there is one again. */
  async #lost(node: SimulatedNode): Promise<void> {
    this.#connection?.close()
    this.#connection = undefined
    this.#dropStaged()
    const chain = this.#history.chain(this.owner)
    const doubtful = chain.filter(({ done, void: gone }) => done === Infinity && gone === Infinity)
    if (doubtful.length === 0) return
    this.#world.sometimes('a flush in doubt')
    while (node.alive) await this.#world.sleep(50)
    for (;;) {
      try {
        const fresh = this.#scene.cluster.node
        const found = new Map<string, Map<string, string>>()
        for (const collection of COLLECTIONS) {
          const rows = await this.#seen((rpc, request) => fresh.call(rpc, request, `reader-${this.owner}`), collection, 'read after a crash', 0)
          found.set(collection, new Map([...rows].filter(([, value]) => ownerOf(value) === this.owner)))
        }
        const at = this.#history.tick()
        const matching = chain.findLastIndex(({ state, void: gone }) => gone === Infinity && COLLECTIONS.every((name) => sameRows(state.get(name) ?? new Map<string, string>(), found.get(name))))
        // What it sees instead is told with its reads.
        if (matching >= 0) {
          chain.forEach((commit, index) => {
            if (commit.void < Infinity) return
            if (index === matching) commit.done = Math.min(commit.done, at)
            else if (index > matching) commit.void = Math.min(commit.void, at)
          })
        } else this.#world.sometimes('after a crash none of the states')
        this.#state = found
        return
      } catch {
        await this.#world.sleep(100)
      }
    }
  }

  #no(what: string, { outcome, error }: { readonly outcome: Outcome; readonly error?: unknown }): Outcome {
    if (outcome === 'no' && !(error instanceof MilvusError)) this.#world.violated(`${what} failed without a code: ${error instanceof Error ? (error.stack ?? '') : String(error)}`)
    this.#world.note(`client ${this.owner}: ${what}: ${String(error)}`)
    if (what === 'flush' && error instanceof MilvusError && error.message.includes('has been dropped')) this.#world.violated(`R3: client ${this.owner} is there and what it staged has been dropped`)
    if (what === 'flush' && error instanceof MilvusError && error.code === Code.ParameterInvalid) this.#world.violated(`client ${this.owner} can never flush again: ${error.message}`)
    return outcome
  }
}

type Settled<T> = { readonly outcome: 'yes'; readonly value: T; readonly error?: undefined } | { readonly outcome: 'no' | 'silence'; readonly error: unknown }

function settled<T>(sent: Promise<T>): Promise<Settled<T>> {
  return sent.then(
    (value): Settled<T> => ({ outcome: 'yes', value }),
    (error: unknown): Settled<T> => ({ outcome: error instanceof NoAnswer ? 'silence' : 'no', error }),
  )
}

function copy(state: Contents): Contents {
  return new Map([...state].map(([name, rows]) => [name, new Map(rows)]))
}

function after(rows: Rows | undefined, ops: readonly StageOp[]): Map<string, string> {
  const next = new Map(rows)
  for (const { apply } of ops) apply(next)
  return next
}

/** Applies to all rows but those of some keys. */
function withoutKeys(rows: Map<string, string>, isGone: (key: string) => boolean, apply: StageOp['apply']): void {
  const next = new Map(rows)
  apply(next)
  for (const key of new Set([...rows.keys(), ...next.keys()])) {
    if (isGone(key)) continue
    const value = next.get(key)
    if (value === undefined) rows.delete(key)
    else rows.set(key, value)
  }
}
