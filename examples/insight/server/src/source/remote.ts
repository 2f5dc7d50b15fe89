/**
 * A Milvus by address, polled: Milvus has no call that pushes changes of its metadata. Lists come every round; details of what is
 * new, loading or building at once; of the rest in turn, as far as the budget of calls reaches.
 */
import type { Clock, Row } from '../core/model.ts'
import type { CollectionListed, MilvusApi } from './milvus-api.ts'
import type { ActionName, InsightSource, Sink, VectorQuery } from './source.ts'
import { TokenBucket } from './token-bucket.ts'

export interface RemoteOptions {
  readonly api: MilvusApi
  readonly clock: Clock
  readonly address: string
  /** Between two rounds. Default: 5000. */
  readonly intervalMs?: number | undefined
  /** Default: 20. */
  readonly callsPerSecond?: number | undefined
  /** Collections that a round may describe beside those that change. Default: 10. */
  readonly coldPerRound?: number | undefined
}

interface Known {
  readonly listed: CollectionListed
  readonly db: string
  row: Row | undefined
  /** It loads or is built: described in every round. */
  isHot: boolean
}

export class RemoteSource implements InsightSource {
  readonly origin = 'poll'
  readonly intervalMs: number
  readonly #options: RemoteOptions
  readonly #bucket: TokenBucket
  readonly #known = new Map<string, Known>()
  /** Keys in the order in which they were described last. */
  readonly #turn = new Set<string>()
  #sink: Sink | undefined

  constructor(options: RemoteOptions) {
    this.#options = options
    this.intervalMs = options.intervalMs ?? 5000
    this.#bucket = new TokenBucket(options.clock, options.callsPerSecond ?? 20)
  }

  async start(sink: Sink, signal: AbortSignal): Promise<{ fingerprint?: string | undefined }> {
    const { version, fingerprint } = await this.#options.api.connect(signal)
    this.#sink = sink
    sink.upsert('node', 'server', { id: 'server', name: this.#options.address, role: 'proxy', address: this.#options.address, version, state: 'healthy' })
    return fingerprint === undefined ? {} : { fingerprint }
  }

  async refresh(signal: AbortSignal): Promise<void> {
    await this.#lists(signal)
    const hot = [...this.#known].filter(([, known]) => known.isHot || known.row === undefined).map(([key]) => key)
    const cold = [...this.#turn].filter((key) => !hot.includes(key)).slice(0, this.#options.coldPerRound ?? 10)
    for (const key of [...hot, ...cold]) await this.#describe(key, signal)
  }

  async stop(): Promise<void> {
    await this.#options.api.close()
  }

  async act(action: ActionName, { db, collection }: { readonly db: string; readonly collection: string }): Promise<void> {
    await this.#options.api.act(action, db, collection)
    for (const known of this.#known.values()) if (known.db === db && known.listed.name === collection) known.isHot = true
  }

  async search({ vector, limit = 10, ...query }: VectorQuery) {
    const rows = await this.#options.api.search({ ...query, limit, ...(typeof vector === 'string' ? { key: vector } : { vector }) })
    return { rows }
  }

  /** Databases and collections: everything is read before anything is told, so that half a list drops nothing. */
  async #lists(signal: AbortSignal): Promise<void> {
    const { api } = this.#options
    await this.#bucket.take(signal)
    const databases = await api.databases()
    const lists = new Map<string, readonly CollectionListed[]>()
    for (const db of databases) {
      await this.#bucket.take(signal)
      lists.set(db, await api.collections(db))
    }
    signal.throwIfAborted()
    const sink = this.#sink
    for (const [db, list] of lists) {
      sink?.upsert('database', db, { id: db, name: db, collectionCount: list.length })
      for (const listed of list) this.#meet(db, listed)
    }
    sink?.full('database', '', new Set(databases))
    const all = new Set([...lists].flatMap(([db, list]) => list.map(({ id }) => `${db}/${id}`)))
    for (const key of this.#known.keys()) {
      if (all.has(key)) continue
      this.#known.delete(key)
      this.#turn.delete(key)
    }
    sink?.full('collection', '', all)
  }

  #meet(db: string, listed: CollectionListed): void {
    const key = `${db}/${listed.id}`
    const known = this.#known.get(key)
    if (known !== undefined && known.listed.name === listed.name) {
      // A row that is known is seen again: its age is that of the list.
      if (known.row !== undefined) this.#sink?.upsert('collection', key, known.row)
      return
    }
    this.#known.set(key, { listed, db, row: undefined, isHot: true })
    this.#turn.add(key)
    this.#sink?.upsert('collection', key, { id: listed.id, db, name: listed.name, createdTs: listed.createdTs })
  }

  async #describe(key: string, signal: AbortSignal): Promise<void> {
    const known = this.#known.get(key)
    if (known === undefined) return
    const { api } = this.#options
    const { db, listed } = known
    const ask = async <T>(call: (db: string, name: string) => Promise<T>): Promise<T> => {
      await this.#bucket.take(signal)
      return call(db, listed.name)
    }
    this.#turn.delete(key)
    this.#turn.add(key)
    try {
      const described = await ask((d, n) => api.describe(d, n))
      const partitions = await ask((d, n) => api.partitions(d, n))
      const indexes = await ask((d, n) => api.indexes(d, n))
      const load = await ask((d, n) => api.loadState(d, n))
      const rows = await ask((d, n) => api.rows(d, n))
      signal.throwIfAborted()
      const { channels, aliases, ...facts } = described
      known.row = { ...facts, id: listed.id, db, updatedTs: described.updatedTs ?? null, load: { state: load.state, percent: load.percent }, stats: { rows, rowsExact: false }, indexState: indexState(indexes) }
      known.isHot = load.state === 'loading' || indexes.some(({ state }) => state === 'inProgress' || state === 'unissued')
      const sink = this.#sink
      sink?.upsert('collection', key, known.row)
      for (const { id, name } of partitions) sink?.upsert('partition', `${key}/${id}`, { id, name, db, collId: listed.id })
      sink?.full('partition', `${key}/`, new Set(partitions.map(({ id }) => `${key}/${id}`)))
      for (const { name, field, indexType, metric, params, ...progress } of indexes) {
        sink?.upsert('index', `${key}/${name}`, { id: name, name, field, indexType, metric, params, db, collId: listed.id, progress: { ...progress } })
      }
      sink?.full('index', `${key}/`, new Set(indexes.map(({ name }) => `${key}/${name}`)))
      for (const alias of aliases) sink?.upsert('alias', `${key}/${alias}`, { id: alias, name: alias, alias, db, collId: listed.id })
      sink?.full('alias', `${key}/`, new Set(aliases.map((alias) => `${key}/${alias}`)))
      for (const channel of channels) sink?.upsert('channel', `${key}/${channel}`, { id: channel, name: channel, db, collId: listed.id })
      sink?.full('channel', `${key}/`, new Set(channels.map((channel) => `${key}/${channel}`)))
    } catch (error) {
      signal.throwIfAborted()
      // Dropped or renamed since the list: the next one will say so. Everything else is the server's failure.
      const names = (await this.#options.api.collections(db)).map(({ name }) => name)
      if (names.includes(listed.name)) throw error
    }
  }
}

function indexState(indexes: readonly { readonly state: string }[]): string {
  if (indexes.length === 0) return 'none'
  for (const state of ['failed', 'retry', 'inProgress', 'unissued']) if (indexes.some((index) => index.state === state)) return state
  return 'finished'
}
