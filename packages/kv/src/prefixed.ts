/** The parts of a prefix view that map keys there and back. */
import { checkKey, checkPrefix, expected, listPairs, utf8Length } from './check.ts'
import type { KVFeatures } from './features.ts'
import type { KVCondition, KVEvent, Pairs, Watch, WatchBatch } from './kv.ts'

export interface KeyMap {
  /** Those of the store, with room for the prefix taken from `maxKeyBytes`. */
  readonly features: KVFeatures
  key(key: string, name?: string): string
  keys(keys: readonly string[]): readonly string[]
  prefix(prefix: string): string
  strip(key: string): string
}

export function keyMap(prefix: string, inner: KVFeatures): KeyMap {
  const features = Object.freeze({ ...inner, maxKeyBytes: inner.maxKeyBytes - utf8Length(prefix) })
  const key = (text: string, name?: string): string => {
    checkKey(text, features, name)
    return prefix + text
  }
  return {
    features,
    key,
    keys(keys) {
      if (!Array.isArray(keys)) throw expected('keys', 'an array of strings', keys)
      return keys.map((text: string, index) => key(text, `keys[${index}]`))
    },
    prefix(text) {
      checkPrefix(text, features)
      return prefix + text
    },
    strip: (text) => text.slice(prefix.length),
  }
}

export function addToPairs<V>(pairs: Pairs<V>, map: KeyMap): [string, V][] {
  return listPairs(pairs, map.features).map(([key, value]) => [map.key(key), value as V])
}

export function addToConditions(when: readonly KVCondition[], map: KeyMap): readonly KVCondition[] {
  if (!Array.isArray(when)) throw expected('when', 'an array of conditions', when)
  const list: readonly KVCondition[] = when
  return list.map((condition, index) => {
    if (typeof condition !== 'object' || condition === null) throw expected(`when[${index}]`, 'a condition', condition)
    return { ...condition, key: map.key(condition.key, `when[${index}].key`) }
  })
}

type Result<V> = IteratorResult<WatchBatch<V>, undefined>

export class PrefixedWatch<V> implements Watch<V> {
  readonly ready: Promise<void>
  readonly #inner: Watch<V>
  readonly #map: KeyMap
  readonly #onEnd: () => void
  #failure: { readonly error: unknown } | undefined

  /** @param failure why it is over before it began, if it is. */
  constructor(inner: Watch<V>, map: KeyMap, failure: unknown, onEnd: () => void) {
    this.#inner = inner
    this.#map = map
    this.#onEnd = onEnd
    this.ready = failure === undefined ? inner.ready : Promise.reject(failure)
    this.ready.catch(() => undefined)
    if (failure === undefined) return
    this.#failure = { error: failure }
    void inner.return?.()
  }

  async next(): Promise<Result<V>> {
    if (this.#failure !== undefined) {
      const { error } = this.#failure
      this.#failure = undefined
      throw error
    }
    try {
      const result = await this.#inner.next()
      if (result.done !== true) return { done: false, value: this.#batch(result.value) }
    } catch (error) {
      this.#onEnd()
      throw error
    }
    this.#onEnd()
    return { done: true, value: undefined }
  }

  async return(): Promise<Result<V>> {
    this.#onEnd()
    await this.#inner.return?.()
    return { done: true, value: undefined }
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }

  #batch(batch: WatchBatch<V>): WatchBatch<V> {
    const events = batch.events.map((event): KVEvent<V> => ({ ...event, key: this.#map.strip(event.key) }))
    return { events, revision: batch.revision }
  }
}
