/** Listeners of changes: told in order, after the change is visible, one batch at a time even when a listener changes the table. */
import { normalizeKey, show } from './check.ts'
import { ParamError } from './errors.ts'

export interface ParamChange {
  /** In lower case. */
  readonly key: string
  /** `undefined`: there is none any more. */
  readonly value: string | undefined
  readonly oldValue: string | undefined
}

/** All that one call changed, ordered by key. */
export interface ParamChanges {
  readonly version: number
  readonly changes: readonly ParamChange[]
}

export type ParamListener = (batch: ParamChanges) => void

/** A key, or all keys that start with a prefix. */
export type WatchTarget = string | { readonly prefix: string }

const MAX_NESTED = 1_000

export class Watchers {
  readonly #onError: (error: unknown) => void
  readonly #oldIdsOf: (id: string) => readonly string[]
  readonly #byKey = new Map<string, Set<ParamListener>>()
  readonly #byPrefix = new Map<string, Set<ParamListener>>()
  #queue: ParamChanges[] = []
  #delivering = false

  /** `oldIdsOf` gives earlier names of a key, under which it may be watched too. */
  constructor(onError: (error: unknown) => void, oldIdsOf: (id: string) => readonly string[]) {
    this.#onError = onError
    this.#oldIdsOf = oldIdsOf
  }

  add(target: WatchTarget, listener: ParamListener): () => void {
    if (typeof listener !== 'function') throw new TypeError(`expected \`listener\` to be a function, got ${show(listener)}`)
    const isKey = typeof target === 'string'
    const map = isKey ? this.#byKey : this.#byPrefix
    const id = isKey ? normalizeKey(target) : target.prefix === '' ? '' : normalizeKey(target.prefix, 'prefix')
    // A wrapper for each subscription: the same function may be subscribed twice.
    const own: ParamListener = (batch) => listener(batch)
    const set = map.get(id) ?? new Set()
    map.set(id, set.add(own))
    return () => {
      set.delete(own)
      if (set.size === 0 && map.get(id) === set) map.delete(id)
    }
  }

  clear(): void {
    this.#byKey.clear()
    this.#byPrefix.clear()
    this.#queue = []
  }

  tell(batch: ParamChanges): void {
    if (this.#byKey.size === 0 && this.#byPrefix.size === 0) return
    this.#queue.push(batch)
    if (this.#delivering) return
    this.#delivering = true
    // Bounded: listeners that answer each change with another would go on for ever.
    for (let delivered = 0; this.#queue.length > 0 && delivered < MAX_NESTED; delivered++) {
      const next = this.#queue.shift()
      if (next !== undefined) this.#deliver(next)
    }
    if (this.#queue.length > 0) {
      this.#queue = []
      this.#report(new ParamError('PARAM_WATCH_LOOP', `listeners made more than ${MAX_NESTED} changes from within one; the rest was not told`))
    }
    this.#delivering = false
  }

  #deliver({ version, changes }: ParamChanges): void {
    for (const change of changes) {
      for (const key of [change.key, ...this.#oldIdsOf(change.key)]) {
        for (const listener of Array.from(this.#byKey.get(key) ?? [])) this.#call(listener, { version, changes: [change] })
      }
    }
    for (const [prefix, listeners] of Array.from(this.#byPrefix)) {
      const matching = changes.filter(({ key }) => key.startsWith(prefix))
      if (matching.length > 0) for (const listener of Array.from(listeners)) this.#call(listener, { version, changes: matching })
    }
  }

  #call(listener: ParamListener, batch: ParamChanges): void {
    try {
      listener(batch)
    } catch (error) {
      this.#report(error)
    }
  }

  /** A listener for errors that throws itself is beyond help; it must not undo a change. */
  #report(error: unknown): void {
    try {
      this.#onError(error)
    } catch {
      // Dropped.
    }
  }
}
