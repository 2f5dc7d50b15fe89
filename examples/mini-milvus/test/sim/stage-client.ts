/** A client of rule `flush`: writes rows of its own in two collections, sends calls without waiting for their answers, flushes, reads and goes. */
import type { NodeCore } from '../../src/node/core.ts'
import { MilvusError } from '../../src/server/status.ts'
import type { Staging } from '../../src/staging/staging.ts'
import type { Cluster } from './cluster.ts'
import { queryRequest, rowsRequest, searchRequest, STRONG, versionsOf } from './requests.ts'
import { NoAnswer, type SimulatedNode } from './sim-node.ts'
import { VERSIONS, type Commit, type Rows, type StageHistory, type State } from './stage-history.ts'
import type { World } from './world.ts'

/** Keys are the client's in the first, the server's in the second. */
export const KEYED = 'f0'
export const AUTO = 'f1'
const COLLECTIONS: readonly string[] = [KEYED, AUTO]
const KEYS = 6

type Contents = Map<string, Map<string, number>>

interface Op {
  readonly collection: string
  readonly apply: (rows: Map<string, number>) => void
}

type Outcome = 'yes' | 'no' | 'silence'

/** What became of the commits within flushes, by connection: flushes that fail afterwards do not tell. */
export class CommitWatch {
  readonly #committed = new Set<string>()

  watch(core: NodeCore): NodeCore {
    const { staging } = core
    const flush: Staging['flush'] = async (client, ...rest) => {
      const ts = await staging.flush(client, ...rest)
      if (ts > 0n) this.#committed.add(client.split('~')[0] as string)
      return ts
    }
    return { ...core, staging: replaced(staging, { flush }) }
  }

  /** Of the last flush of this connection. */
  take(peer: string): boolean {
    return this.#committed.delete(peer)
  }
}

/** The same object with some methods replaced. */
export function replaced<T extends object>(target: T, methods: Partial<T>): T {
  return new Proxy(target, {
    get(_target, property) {
      const own: unknown = Reflect.get(methods, property)
      const value: unknown = own ?? Reflect.get(target, property, target)
      return typeof value === 'function' ? (...args: unknown[]): unknown => Reflect.apply(value, target, args) : value
    },
  })
}

export class StageClient {
  readonly owner: number
  readonly #world: World
  readonly #cluster: Cluster
  readonly #history: StageHistory
  readonly #ids: Set<string>
  readonly #commits: CommitWatch
  /** Committed, as far as it knows. */
  #state: Contents = new Map([[KEYED, new Map()], [AUTO, new Map()]])
  #staged: Op[] = []
  #peer = ''
  #node: SimulatedNode | undefined
  #version: number
  #connections = 0

  constructor(owner: number, world: World, cluster: Cluster, history: StageHistory, ids: Set<string>, commits: CommitWatch) {
    this.owner = owner
    this.#world = world
    this.#cluster = cluster
    this.#history = history
    this.#ids = ids
    this.#commits = commits
    this.#version = owner * VERSIONS
    history.chain(owner)
  }

  /** Some calls, one after the other without a wait, then their answers. */
  async step(): Promise<void> {
    const { random } = this.#world
    const node = this.#connect()
    if (node === undefined) return this.#world.sleep(50)
    const kinds = Array.from({ length: random.integer(1, 4) }, () => random.pick(['write', 'write', 'write', 'flush', 'read'] as const))
    if (kinds.length > 1) this.#world.sometimes('calls without a wait')
    const finish = kinds.map((kind) => (kind === 'write' ? this.#write(node) : kind === 'flush' ? this.#flush(node) : this.#read(node)))
    let silence = false
    for (const settle of finish) silence = (await settle()) === 'silence' || silence
    if (silence) await this.#lost(node)
    else if (random.chance(0.15)) this.disconnect()
  }

  /** What was not flushed is gone. */
  disconnect(): void {
    this.#world.note(`client ${this.owner} goes`)
    if (this.#staged.length > 0) this.#world.sometimes('discard')
    this.#node?.disconnect(this.#peer)
    this.#node = undefined
    this.#staged = []
  }

  /** Reads both collections; whoever asks compares. */
  async readAll(how = 'read'): Promise<void> {
    for (const collection of COLLECTIONS) await this.#seen(this.#cluster.node, collection, how, STRONG.consistency_level)
  }

  #connect(): SimulatedNode | undefined {
    if (this.#node?.alive === true) return this.#node
    this.#staged = []
    try {
      this.#node = this.#cluster.node
    } catch {
      return undefined
    }
    this.#peer = `client-${this.owner}-${(this.#connections += 1)}`
    this.#node.connect(this.#peer)
    return this.#node
  }

  /** Sends a write; the result takes its answer in. */
  #write(node: SimulatedNode): () => Promise<Outcome> {
    const { random } = this.#world
    const collection = random.pick(COLLECTIONS)
    const version = (this.#version += 1)
    const isAuto = collection === AUTO
    const first = this.owner * KEYS
    const some = [...new Set(Array.from({ length: random.integer(1, 4) }, () => first + random.integer(0, KEYS - 1)))]
    const roll = random.integer(0, 9)
    if (roll < 2) {
      const span = random.integer(1, 6)
      const expr = `version >= ${version - span} and version < ${version}`
      this.#world.note(`client ${this.owner} deletes where ${expr}`)
      return this.#staging(collection, node.call('Delete', { collection_name: collection, expr }, this.#peer), () => (rows) => {
        for (const [key, has] of rows) if (has >= version - span && has < version) rows.delete(key)
      })
    }
    if (isAuto) {
      return this.#staging(collection, node.call('Insert', rowsRequest(collection, some, version, true), this.#peer), ({ IDs }) => {
        const ids = (IDs?.int_id?.data ?? []).map(String)
        for (const id of ids) {
          if (this.#ids.has(id)) this.#world.violated(`auto id ${id} was given twice`)
          this.#ids.add(id)
        }
        return (rows) => ids.forEach((id) => rows.set(id, version))
      })
    }
    if (roll < 4) {
      this.#world.note(`client ${this.owner} deletes ${some.join(' ')}`)
      return this.#staging(collection, node.call('Delete', { collection_name: collection, expr: `id in [${some.join(', ')}]` }, this.#peer), () => (rows) => some.forEach((key) => rows.delete(String(key))))
    }
    this.#world.note(`client ${this.owner} upserts ${some.join(' ')} v${version}`)
    return this.#staging(collection, node.call('Upsert', rowsRequest(collection, some, version), this.#peer), () => (rows) => some.forEach((key) => rows.set(String(key), version)))
  }

  #staging<T>(collection: string, sent: Promise<T>, take: (answer: T) => Op['apply']): () => Promise<Outcome> {
    const answered = settled(sent)
    return async () => {
      const answer = await answered
      if (answer.outcome !== 'yes') return this.#no('write', answer)
      this.#staged.push({ collection, apply: take(answer.value) })
      this.#world.sometimes('staged')
      return 'yes'
    }
  }

  /** The commit is in the chain from now on; what it holds is known when the answers before it are. */
  #flush(node: SimulatedNode): () => Promise<Outcome> {
    const names = this.#world.random.chance(0.7) ? [...COLLECTIONS] : [this.#world.random.pick(COLLECTIONS)]
    const chain = this.#history.chain(this.owner)
    const pending: { state: State } & Omit<Commit, 'state'> = { state: new Map(), sent: this.#history.tick(), done: Infinity, void: Infinity }
    chain.push(pending)
    this.#world.note(`client ${this.owner} flushes ${names.join(' ')}`)
    const peer = this.#peer
    // The commit may have been done although what comes behind it failed.
    const send = () => settled(node.call('Flush', { collection_names: names }, peer)).then((answer) => ({ ...answer, isCommitted: this.#commits.take(peer) && answer.outcome === 'no' }))
    let answered = send()
    return async () => {
      const next = copy(this.#state)
      for (const { collection, apply } of this.#staged) if (names.includes(collection)) apply(next.get(collection) as Map<string, number>)
      pending.state = next
      for (;;) {
        const answer = await answered
        const isDone = answer.outcome === 'yes' || answer.isCommitted
        if (isDone) {
          if (answer.outcome === 'yes') pending.done = this.#history.tick()
          this.#state = next
          this.#staged = this.#staged.filter(({ collection }) => !names.includes(collection))
          this.#world.sometimes(answer.outcome === 'yes' ? 'flush' : 'flush that was committed and not sealed')
          return 'yes'
        }
        if (answer.outcome === 'no') {
          // Nothing of it was committed, and nobody ever sees it.
          pending.void = 0
          this.#world.sometimes('flush refused')
          return this.#no('flush', answer)
        }
        if (!node.alive) return 'silence'
        answered = send()
      }
    }
  }

  #read(node: SimulatedNode): () => Promise<Outcome> {
    const { random } = this.#world
    const collection = random.pick(COLLECTIONS)
    const chain = this.#history.chain(this.owner)
    // Its own flushes before this read are seen by it, those behind it are not.
    const most = chain.length - 1
    const least = (): number => chain.findLastIndex((commit, index) => index <= most && commit.done < Infinity)
    const seeing = settled(this.#seen(node, collection, 'pipelined read', random.pick([0, 2, 3]), { owner: this.owner, least, most }))
    return async () => {
      const answer = await seeing
      return answer.outcome === 'no' ? this.#no('read', answer) : answer.outcome
    }
  }

  async #seen(node: SimulatedNode, collection: string, how: string, consistency_level: number, own?: { owner: number; least: () => number; most: number }): Promise<Rows> {
    const by = `client ${this.owner}`
    const start = this.#history.tick()
    const rows = new Map<string, number>()
    const consistency = { consistency_level, guarantee_timestamp: 0n }
    const isSearch = this.#world.random.chance(0.25)
    if (isSearch) this.#world.sometimes('search')
    const response = isSearch
      ? await node.call('Search', searchRequest(collection, [0, 0], 1_000, consistency), this.#peer)
      : await node.call('Query', queryRequest(collection, 'id >= 0', ['id', 'version'], consistency), this.#peer)
    for (const [id, version] of versionsOf(response)) {
      if (rows.has(id)) this.#world.violated(`${collection}: ${how} saw ${id} twice`)
      rows.set(id, version)
    }
    this.#history.read({ by, collection, rows, start, end: this.#history.tick(), how: `${how} (level ${consistency_level})`, own })
    this.#world.sometimes(`read at level ${consistency_level}`)
    return rows
  }

  /** The node went in the middle: which of its last flushes count shows when there is one again. */
  async #lost(node: SimulatedNode): Promise<void> {
    node.disconnect(this.#peer)
    this.#node = undefined
    this.#staged = []
    const chain = this.#history.chain(this.owner)
    const doubtful = chain.filter(({ done, void: gone }) => done === Infinity && gone === Infinity)
    if (doubtful.length === 0) return
    this.#world.sometimes('a flush in doubt')
    while (node.alive) await this.#world.sleep(50)
    for (;;) {
      try {
        const fresh = this.#cluster.node
        const found = new Map<string, Map<string, number>>()
        for (const collection of COLLECTIONS) {
          const rows = await this.#seen(fresh, collection, 'read after a crash', 0)
          found.set(collection, new Map([...rows].filter(([, version]) => Math.floor(version / VERSIONS) === this.owner)))
        }
        const at = this.#history.tick()
        const matching = chain.findLastIndex(({ state, void: gone }) => gone === Infinity && COLLECTIONS.every((name) => equal(state.get(name), found.get(name))))
        if (matching < 0) this.#world.violated(`client ${this.owner}: after a crash there is none of its states`)
        chain.forEach((commit, index) => {
          if (commit.void < Infinity) return
          if (index === matching) commit.done = Math.min(commit.done, at)
          else if (index > matching) commit.void = Math.min(commit.void, at)
        })
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

function equal(a: Rows | undefined, b: Rows | undefined): boolean {
  return (a?.size ?? 0) === (b?.size ?? 0) && [...(a ?? [])].every(([key, version]) => b?.get(key) === version)
}
