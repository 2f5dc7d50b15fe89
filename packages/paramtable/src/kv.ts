/// <reference lib="esnext.disposable" />
/**
 * Cluster-wide parameters: a layer that follows a prefix of a store, for all processes the same. A store that cannot be reached changes
 * nothing: the last good values stay. A change that the declarations refuse is left out as a whole and reported; the next one may heal it.
 */
import type { KVBase } from '@timetick/kv'
import { normalizeKey, show } from './check.ts'
import type { Clock } from './clock.ts'
import { systemClock } from './edge.ts'
import { ParamError } from './errors.ts'
import type { GlobalParamsTable } from './table.ts'

/** What the layer uses of a `KVBase`. */
export type ParamStore = Pick<KVBase, 'loadWithPrefix' | 'watchWithPrefix' | 'multiSaveAndRemove'>

export interface KVParamsOptions {
  readonly table: GlobalParamsTable
  readonly kv: ParamStore
  /** Values lie at `<prefix><key>`. @default 'config/' */
  readonly prefix?: string | undefined
  /** Of the layer. @default 'kv' */
  readonly name?: string | undefined
  /** Wait after a failure of the store. @default 1_000 */
  readonly retryMs?: number | undefined
  /** Told of failures of the store, and of changes that were refused. */
  readonly onProblem?: ((error: unknown) => void) | undefined
  readonly clock?: Clock | undefined
  /** Ends the first read. */
  readonly signal?: AbortSignal | undefined
}

export interface KVParams extends AsyncDisposable {
  /** Everything up to this revision of the store shows in the table. */
  readonly revision: bigint
  /**
   * Change the store in one step: texts are saved, `undefined` removes. Resolves when the change shows in this table too.
   * @throws {ParamError} `PARAM_SOURCE_FAILED`; the declarations' errors, before anything is written
   */
  alter(changes: Readonly<Record<string, string | undefined>>, options?: { readonly signal?: AbortSignal | undefined }): Promise<void>
  /** Stops following; the layer stays. Idempotent; never rejects. */
  close(): Promise<void>
}

/** Reads the prefix, puts it in as a layer, and follows it. @throws {ParamError} `PARAM_SOURCE_FAILED`, or why the values are refused */
export async function openKVParams(options: KVParamsOptions): Promise<KVParams> {
  if (typeof options !== 'object' || options === null) throw new TypeError(`expected the options to be an object, got ${show(options)}`)
  const { prefix = 'config/', retryMs = 1_000, signal } = options
  if (typeof prefix !== 'string') throw new TypeError(`expected \`prefix\` to be a string, got ${show(prefix)}`)
  if (typeof retryMs !== 'number' || !(retryMs >= 1)) throw new RangeError(`expected \`retryMs\` to be 1 or more, got ${show(retryMs)}`)
  signal?.throwIfAborted()
  const layer = new StoreLayer(options, prefix, retryMs)
  await layer.open(signal)
  return layer
}

class StoreLayer implements KVParams {
  readonly #options: KVParamsOptions
  readonly #prefix: string
  readonly #retryMs: number
  readonly #clock: Clock
  readonly #closing = new AbortController()
  /** By key as the store has it. */
  #values = new Map<string, string>()
  #revision = 0n
  #waiting: { readonly revision: bigint; readonly done: () => void }[] = []
  #running: Promise<void> = Promise.resolve()

  constructor(options: KVParamsOptions, prefix: string, retryMs: number) {
    this.#options = options
    this.#prefix = prefix
    this.#retryMs = retryMs
    this.#clock = options.clock ?? systemClock
  }

  get revision(): bigint {
    return this.#revision
  }

  async open(signal: AbortSignal | undefined): Promise<void> {
    try {
      await this.#list(signal)
    } catch (error) {
      signal?.throwIfAborted()
      if (error instanceof ParamError) throw error
      throw failed(error)
    }
    this.#running = this.#follow()
  }

  async alter(changes: Readonly<Record<string, string | undefined>>, { signal }: { readonly signal?: AbortSignal | undefined } = {}): Promise<void> {
    if (typeof changes !== 'object' || changes === null) throw new TypeError(`expected \`changes\` to be an object, got ${show(changes)}`)
    signal?.throwIfAborted()
    this.#closing.signal.throwIfAborted()
    const saves = new Map<string, string>()
    const removals: string[] = []
    const wanted: [string, string][] = []
    for (const [key, value] of Object.entries(changes)) {
      const path = this.#prefix + normalizeKey(key)
      if (value === undefined) removals.push(path)
      else {
        saves.set(path, value)
        wanted.push([key, value])
      }
    }
    if (saves.size + removals.length === 0) throw new RangeError('expected at least one change')
    this.#options.table.check({ kind: 'kv', name: this.#name, entries: wanted })
    const { revision } = await this.#options.kv.multiSaveAndRemove(saves, removals, { signal }).catch((error: unknown) => {
      signal?.throwIfAborted()
      throw failed(error)
    })
    await this.#reached(revision, signal)
  }

  async close(): Promise<void> {
    this.#closing.abort(new ParamError('PARAM_SOURCE_FAILED', 'the parameters of the store are no longer followed'))
    for (const { done } of this.#waiting.splice(0)) done()
    await this.#running
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  get #name(): string {
    return this.#options.name ?? 'kv'
  }

  async #list(signal: AbortSignal | undefined): Promise<void> {
    const page = await this.#options.kv.loadWithPrefix(this.#prefix, { signal })
    const values = new Map(page.keys.map((key, index) => [key.slice(this.#prefix.length), page.values[index] ?? '']))
    this.#put(values, page.revision)
  }

  async #follow(): Promise<void> {
    const { signal } = this.#closing
    let mustList = false
    while (!signal.aborted) {
      try {
        if (mustList) await this.#list(signal)
        mustList = true
        for await (const batch of this.#options.kv.watchWithPrefix(this.#prefix, { from: this.#revision + 1n, signal })) {
          const values = new Map(this.#values)
          for (const event of batch.events) {
            const key = event.key.slice(this.#prefix.length)
            if (event.type === 'put') values.set(key, event.value)
            else values.delete(key)
          }
          this.#tryPut(values, batch.revision)
        }
        if ((signal as { aborted: boolean }).aborted) return
      } catch (error) {
        if ((signal as { aborted: boolean }).aborted) return
        this.#report(error)
      }
      await this.#pause()
    }
  }

  #tryPut(values: Map<string, string>, revision: bigint): void {
    try {
      this.#put(values, revision)
    } catch (error) {
      // What the store says is remembered, so that the change that mends it is seen as a whole.
      this.#values = values
      this.#arrive(revision)
      this.#report(error)
    }
  }

  #put(values: Map<string, string>, revision: bigint): void {
    const entries = [...values].filter(([key]) => key !== '').map(([key, value]) => [key, value, `${this.#name}:${this.#prefix}${key}`] as const)
    this.#options.table.setLayer({ kind: 'kv', name: this.#name, entries })
    this.#values = values
    this.#arrive(revision)
  }

  #arrive(revision: bigint): void {
    this.#revision = revision
    const [reached, waiting] = [this.#waiting.filter((one) => one.revision <= revision), this.#waiting.filter((one) => one.revision > revision)]
    this.#waiting = waiting
    for (const { done } of reached) done()
  }

  #reached(revision: bigint, signal: AbortSignal | undefined): Promise<void> {
    if (this.#revision >= revision) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#waiting = this.#waiting.filter((one) => one !== waiter)
        reject(signal?.reason instanceof Error ? signal.reason : new Error(String(signal?.reason)))
      }
      const done = (): void => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      }
      const waiter = { revision, done }
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#waiting.push(waiter)
    })
  }

  #pause(): Promise<void> {
    const { signal } = this.#closing
    return new Promise((resolve) => {
      if (signal.aborted) return resolve()
      const done = (): void => {
        cancel()
        signal.removeEventListener('abort', done)
        resolve()
      }
      const cancel = this.#clock.setTimer(done, this.#retryMs)
      signal.addEventListener('abort', done, { once: true })
    })
  }

  #report(error: unknown): void {
    try {
      this.#options.onProblem?.(error)
    } catch {
      // A listener must not end the following.
    }
  }
}

function failed(cause: unknown): ParamError {
  const message = cause instanceof Error ? cause.message : String(cause)
  return new ParamError('PARAM_SOURCE_FAILED', `the store of parameters: ${message}`, { cause })
}
