/** The contract over an engine: checks every argument, maps keys and values, refuses after close. One for all backends. */
import {
  checkConditions, checkInteger, checkKey, checkKeys, checkOperationCount, checkPrefix, checkRevision, eachPair, expected, show,
} from './check.ts'
import type { Awaitable, Change, Engine, Stored, Txn, TxnResult } from './engine.ts'
import { KVError } from './errors.ts'
import type { KVFaults } from './faults.ts'
import type { KVFeatures } from './features.ts'
import type {
  CallOptions, KVBase, KVEntry, KVEvent, Lease, Pairs, PrefixPage, ReadPrefixOptions, Revision, SaveOptions, TransactionOptions,
  TransactionResult, Watch, WatchOptions,
} from './kv.ts'
import { LeaseHandle } from './lease-handle.ts'
import { isTraced, traced } from './tracing.ts'
import { bytesCodec, textCodec, type ValueCodec } from './values.ts'
import { WatchStream } from './watch-stream.ts'

const NONE: readonly never[] = []

/** What the text view and the byte view of one store share. */
export interface StoreState {
  readonly engine: Engine
  /** Before every key of this store: '' or text that ends in '/'. */
  readonly root: string
  readonly faults: KVFaults | undefined
  closing: Promise<void> | undefined
}

export function createEngineKV(engine: Engine, root: string, faults?: KVFaults | undefined): KVBase {
  return createViews({ engine, root, faults, closing: undefined })
}

export function createViews(state: StoreState): KVBase {
  const text = new EngineKV<string>(state, textCodec)
  const bytes = new EngineKV<Uint8Array>(state, bytesCodec)
  text.bytes = bytes
  bytes.bytes = bytes
  return text
}

class EngineKV<V> implements KVBase<V> {
  readonly features: KVFeatures
  bytes!: KVBase<Uint8Array>
  readonly #state: StoreState
  readonly #engine: Engine
  readonly #root: string
  readonly #codec: ValueCodec<V>

  constructor(state: StoreState, codec: ValueCodec<V>) {
    this.#state = state
    this.#engine = state.engine
    this.#root = state.root
    this.#codec = codec
    this.features = state.engine.features
  }

  async load(key: string, options?: CallOptions): Promise<V | undefined> {
    checkKey(key, this.features)
    this.#begin(options)
    // The usual call makes nothing but its promise.
    const isPlain = options === undefined && this.#state.faults === undefined && !isTraced('load')
    const found = isPlain ? this.#engine.get(this.#root + key) : this.#run('load', false, [key], options, () => this.#engine.get(this.#root + key))
    const entry = found instanceof Promise ? await found : found
    return entry === undefined ? undefined : this.#codec.read(entry.value, key)
  }

  async loadEntry(key: string, options?: CallOptions): Promise<KVEntry<V> | undefined> {
    checkKey(key, this.features)
    this.#begin(options)
    const entry = await this.#run('loadEntry', false, [key], options, () => this.#engine.get(this.#root + key))
    return entry === undefined ? undefined : { key, value: this.#codec.read(entry.value, key), modRevision: entry.revision }
  }

  async multiLoad(keys: readonly string[], options?: CallOptions): Promise<(V | undefined)[]> {
    const list = checkKeys(keys, this.features)
    this.#begin(options)
    if (list.length === 0) return []
    const read = (): ReturnType<Engine['getMany']> => this.#engine.getMany(list.map((key) => this.#root + key))
    const entries = await this.#run('multiLoad', false, list, options, read)
    return entries.map((entry, index) => (entry === undefined ? undefined : this.#codec.read(entry.value, list[index] ?? '')))
  }

  async loadWithPrefix(prefix: string, options?: ReadPrefixOptions): Promise<PrefixPage<V>> {
    checkPrefix(prefix, this.features)
    const { limit, startAfter } = options ?? {}
    if (limit !== undefined) checkInteger('limit', limit, 1, Number.MAX_SAFE_INTEGER)
    if (startAfter !== undefined) checkKey(startAfter, this.features, 'startAfter')
    this.#begin(options)
    const after = startAfter === undefined ? undefined : this.#root + startAfter
    const read = (): ReturnType<Engine['range']> => this.#engine.range(this.#root + prefix, after, limit ?? Infinity)
    const { pairs, revision, more } = await this.#run('loadWithPrefix', false, [prefix], options, read)
    const { keys } = pairs
    const cut = this.#root.length
    if (cut > 0) for (let index = 0; index < keys.length; index++) keys[index] = keys[index]?.slice(cut) ?? ''
    return { keys, values: this.#codec.readAll(pairs.values, keys), modRevisions: pairs.revisions, revision, more }
  }

  async has(key: string, options?: CallOptions): Promise<boolean> {
    checkKey(key, this.features)
    this.#begin(options)
    return (await this.#run('has', false, [key], options, () => this.#engine.get(this.#root + key))) !== undefined
  }

  async save(key: string, value: V, options?: SaveOptions): Promise<Revision> {
    checkKey(key, this.features)
    const stored = this.#codec.write(value, this.features)
    const txn: Txn = { when: NONE, removals: NONE, removePrefix: undefined, saves: [[this.#root + key, stored]], leaseId: leaseId(options) }
    const result = this.#write('save', [key], txn, options)
    return (result instanceof Promise ? await result : result).revision
  }

  async multiSave(pairs: Pairs<V>, options?: SaveOptions): Promise<Revision> {
    const saves = this.#saves(pairs)
    const txn: Txn = { when: NONE, removals: NONE, removePrefix: undefined, saves, leaseId: leaseId(options) }
    return (await this.#write('multiSave', this.#namesOf(saves), txn, options)).revision
  }

  async remove(key: string, options?: CallOptions): Promise<Revision> {
    checkKey(key, this.features)
    return (await this.#write('remove', [key], this.#txn({ removals: [key] }), options)).revision
  }

  async multiRemove(keys: readonly string[], options?: CallOptions): Promise<Revision> {
    const removals = checkKeys(keys, this.features)
    return (await this.#write('multiRemove', removals, this.#txn({ removals }), options)).revision
  }

  async removeWithPrefix(prefix: string, options?: CallOptions): Promise<Revision> {
    checkPrefix(prefix, this.features)
    return (await this.#write('removeWithPrefix', [prefix], this.#txn({ removePrefix: prefix }), options)).revision
  }

  async multiSaveAndRemove(saves: Pairs<V>, removals: readonly string[], options?: TransactionOptions): Promise<TransactionResult> {
    const pairs = this.#saves(saves)
    const gone = checkKeys(removals, this.features)
    const when = options?.when === undefined ? NONE : checkConditions(options.when, this.features)
    const txn = { ...this.#txn({ removals: gone, when, leaseId: leaseId(options) }), saves: pairs }
    const { applied, revision } = await this.#write('multiSaveAndRemove', [...this.#namesOf(pairs), ...gone], txn, options)
    return { applied, revision }
  }

  async compareAndSave(key: string, expectedRevision: Revision, value: V, options?: SaveOptions): Promise<boolean> {
    checkKey(key, this.features)
    checkRevision('expected', expectedRevision)
    const stored = this.#codec.write(value, this.features)
    const when = [{ key, modRevision: expectedRevision }]
    return (await this.#write('compareAndSave', [key], this.#txn({ saves: [[key, stored]], when, leaseId: leaseId(options) }), options)).applied
  }

  watch(key: string, options?: WatchOptions): Watch<V> {
    checkKey(key, this.features)
    return this.#watch(key, false, options)
  }

  watchWithPrefix(prefix: string, options?: WatchOptions): Watch<V> {
    checkPrefix(prefix, this.features)
    return this.#watch(prefix, true, options)
  }

  async grantLease(ttlMs: number, options?: CallOptions): Promise<Lease> {
    checkInteger('ttlMs', ttlMs, 1, 2 ** 31 - 1)
    this.#begin(options)
    if (!this.features.leases) throw new KVError('KV_UNSUPPORTED', `backend ${this.features.backend} has no leases`, { outcome: 'not-applied' })
    const granted = await this.#run('grantLease', true, NONE, options, () => this.#engine.grantLease(ttlMs))
    return new LeaseHandle(granted, {
      keepAlive: async (callOptions) => {
        this.#begin(callOptions)
        await this.#run('keepAlive', true, NONE, callOptions, () => this.#engine.keepAlive(granted.id))
      },
      revoke: async (callOptions) => {
        this.#begin(callOptions)
        await this.#run('revoke', true, NONE, callOptions, () => this.#engine.revokeLease(granted.id))
      },
      isClosed: () => this.#state.closing !== undefined,
    })
  }

  close(): Promise<void> {
    this.#state.closing ??= this.#engine.close()
    return this.#state.closing
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #begin(options: CallOptions | undefined): void {
    if (options !== undefined) {
      if (typeof options !== 'object' || options === null) throw expected('options', 'an object', options)
      const { signal } = options
      if (signal !== undefined) {
        if (!(signal instanceof AbortSignal)) throw expected('options.signal', 'an AbortSignal', signal)
        signal.throwIfAborted()
      }
    }
    if (this.#state.closing !== undefined) throw closedError()
  }

  /** With neither faults nor a signal this is the engine's own answer. */
  #run<T>(name: string, write: boolean, keys: readonly string[], options: CallOptions | undefined, act: () => Awaitable<T>): Awaitable<T> {
    return traced(name, () => ({ backend: this.features.backend, isWrite: write, keys: keys.length }), () => this.#act(name, write, keys, options, act))
  }

  #act<T>(name: string, write: boolean, keys: readonly string[], options: CallOptions | undefined, act: () => Awaitable<T>): Awaitable<T> {
    const { faults } = this.#state
    if (faults === undefined) {
      const answer = act()
      return answer instanceof Promise && options?.signal !== undefined ? orAborted(answer, options.signal) : answer
    }
    const operation = { name, write, keys }
    const whole = async (): Promise<T> => {
      await faults.before?.(operation)
      this.#begin(options)
      const answer = await act()
      await faults.after?.(operation)
      return answer
    }
    return options?.signal === undefined ? whole() : orAborted(whole(), options.signal)
  }

  #write(name: string, keys: readonly string[], txn: Txn, options: SaveOptions | undefined): Awaitable<TxnResult> {
    this.#begin(options)
    checkOperationCount(Math.max(txn.saves.length + txn.removals.length, txn.when.length), this.features)
    return this.#run(name, true, keys, options, () => this.#engine.write(txn, options?.signal))
  }

  /** With the root before every key. */
  #saves(pairs: Pairs<V>): (readonly [string, Stored])[] {
    const saves: [string, Stored][] = []
    let current = ''
    const name = (): string => `the value of ${show(current)}`
    eachPair(pairs, this.features, (key, value) => {
      current = key
      saves.push([this.#root + key, this.#codec.write(value, this.features, name)])
    })
    return saves
  }

  /** For the faults, the only ones who want to know. */
  #namesOf(saves: Txn['saves']): readonly string[] {
    return this.#state.faults === undefined ? NONE : saves.map(([key]) => key.slice(this.#root.length))
  }

  /** Puts the root before every key. */
  #txn(parts: Partial<Txn>): Txn {
    const root = this.#root
    return {
      when: (parts.when ?? NONE).map((condition) => ({ ...condition, key: root + condition.key })),
      removals: (parts.removals ?? NONE).map((key) => root + key),
      removePrefix: parts.removePrefix === undefined ? undefined : root + parts.removePrefix,
      saves: (parts.saves ?? NONE).map(([key, value]) => [root + key, value] as const),
      leaseId: parts.leaseId,
    }
  }

  #watch(key: string, isPrefix: boolean, options: WatchOptions | undefined): Watch<V> {
    const from = options?.from
    if (from !== undefined) checkRevision('from', from)
    const signal = options?.signal
    if (signal !== undefined && !(signal instanceof AbortSignal)) throw expected('options.signal', 'an AbortSignal', signal)
    const open = (): ReturnType<Engine['watch']> => {
      if (this.#state.closing !== undefined) throw closedError()
      if (!this.features.watch) throw new KVError('KV_UNSUPPORTED', `backend ${this.features.backend} cannot watch`)
      return this.#engine.watch({ key: this.#root + key, isPrefix }, from)
    }
    return new WatchStream(open, (change) => this.#event(change), signal)
  }

  #event(change: Change): KVEvent<V> {
    const key = this.#root === '' ? change.key : change.key.slice(this.#root.length)
    const { revision, created } = change
    if (change.value === undefined) return { type: 'delete', key, revision }
    return { type: 'put', key, value: this.#codec.read(change.value, key), revision, created }
  }
}

function leaseId(options: SaveOptions | undefined): string | undefined {
  const lease: unknown = options?.lease
  if (lease === undefined) return undefined
  const id: unknown = typeof lease === 'object' && lease !== null && 'id' in lease ? lease.id : undefined
  if (typeof id !== 'string') throw expected('options.lease', 'a lease of this store', lease)
  return id
}

export function closedError(): KVError {
  return new KVError('KV_CLOSED', 'the store was closed', { outcome: 'not-applied' })
}

/** The answer, unless the signal comes first; then the answer is nobody's any more. */
function orAborted<T>(answer: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    answer.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
