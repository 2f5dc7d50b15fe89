/** A store in a process that ends and starts again, as its users see it: calls under way fail, watches break, leases stay. */
import { type Clock, type KVBase, KVError, type Lease, type Watch, type WatchBatch } from '../../src/index.ts'
import type { World } from './world.ts'

interface Life {
  readonly ended: Promise<never>
  readonly end: (error: KVError) => void
  kv: KVBase | undefined
}

function ended(outcome: 'not-applied' | 'unknown'): KVError {
  return new KVError('KV_UNAVAILABLE', 'the process has ended', { outcome })
}

export class Lives {
  /** Told of every error of a call. */
  onError: (error: unknown) => void = () => undefined
  readonly kv: KVBase
  readonly #world: World
  readonly #open: (clock: Clock) => Promise<KVBase>
  #life: Life | undefined

  constructor(world: World, open: (clock: Clock) => Promise<KVBase>) {
    this.#world = world
    this.#open = open
    this.kv = this.#view()
  }

  start(): void {
    let end: (error: KVError) => void = () => undefined
    const life: Life = { kv: undefined, ended: new Promise<never>((_, reject) => { end = reject }), end: (error) => end(error) }
    life.ended.catch(() => undefined)
    this.#life = life
    const { clock } = this.#world
    const mine: Clock = { ...clock, setTimer: (callback, delayMs) => clock.setTimer(() => (this.#life === life ? callback() : undefined), delayMs) }
    this.#open(mine).then((kv) => {
      life.kv = kv
      this.#world.note('open')
    }, (error: unknown) => {
      this.#world.note('open failed', String(error))
      this.end()
    })
  }

  /** `kill -9`, and a start after a while. */
  end(): void {
    const life = this.#life
    if (life === undefined) return
    this.#life = undefined
    life.end(ended('unknown'))
    this.#world.after(this.#world.between(1, 50), () => this.start())
  }

  async #call<T>(act: (kv: KVBase) => Promise<T>): Promise<T> {
    const life = this.#life
    if (life?.kv === undefined) throw ended('not-applied')
    try {
      return await Promise.race([act(life.kv), life.ended])
    } catch (error) {
      if (this.#life === life) this.onError(error)
      throw error
    }
  }

  #lease(lease: Lease): Lease {
    const life = this.#life
    const inLife = (act: () => Promise<void>): Promise<void> => this.#call(() => (this.#life === life ? act() : Promise.reject(ended('not-applied'))))
    return { id: lease.id, ttlMs: lease.ttlMs, keepAlive: () => inLife(() => lease.keepAlive()), revoke: () => inLife(() => lease.revoke()), [Symbol.asyncDispose]: async () => undefined }
  }

  #watch(open: (kv: KVBase) => Watch): Watch {
    const life = this.#life
    const inner = life?.kv === undefined ? undefined : open(life.kv)
    const next = (): Promise<IteratorResult<WatchBatch>> => (inner === undefined || life === undefined ? Promise.reject(ended('not-applied')) : Promise.race([inner.next(), life.ended]))
    return {
      next,
      ready: inner?.ready ?? Promise.resolve(),
      return: async () => (await inner?.return?.(), { done: true, value: undefined }),
      [Symbol.asyncIterator]() {
        return this
      },
      [Symbol.asyncDispose]: async () => undefined,
    }
  }

  #view(): KVBase {
    const view: Partial<KVBase> = {
      loadEntry: (key) => this.#call((kv) => kv.loadEntry(key)),
      loadWithPrefix: (prefix, options) => this.#call((kv) => kv.loadWithPrefix(prefix, options)),
      has: (key) => this.#call((kv) => kv.has(key)),
      save: (key, value, options) => this.#call((kv) => kv.save(key, value, options)),
      multiSave: (pairs, options) => this.#call((kv) => kv.multiSave(pairs, options)),
      remove: (key) => this.#call((kv) => kv.remove(key)),
      compareAndSave: (key, expected, value) => this.#call((kv) => kv.compareAndSave(key, expected, value)),
      grantLease: async (ttlMs) => this.#lease(await this.#call((kv) => kv.grantLease(ttlMs))),
      watchWithPrefix: (prefix, options) => this.#watch((kv) => kv.watchWithPrefix(prefix, options)),
      close: async () => {
        const kv = this.#life?.kv
        this.#life = undefined
        await kv?.close()
      },
    }
    return view as KVBase
  }
}
