/** One worker thread and what it was asked. */
import type { Worker } from 'node:worker_threads'
import type { EngineThread } from './engine-thread.edge.ts'
import { EngineError, isEngineErrorCode } from './errors.ts'
import type { VectorSet } from './metric.ts'
import type { Failure, FromWorker, SearchItem, ToWorker } from './protocol.ts'
import type { SearchResult } from './search.ts'

export interface AttachedIndex {
  readonly path: string
  readonly crc32: number
}

/** Vectors as the engine knows them. A new object stands for every change, so that a worker's copy is compared by identity. */
export interface EngineSet {
  readonly set: VectorSet
  readonly index: AttachedIndex | undefined
}

interface Waiting {
  resolve(results: readonly SearchResult[]): void
  reject(error: unknown): void
}

export class WorkerSlot {
  readonly #thread: EngineThread
  readonly #worker: Worker
  readonly #waiting = new Map<number, Waiting>()
  readonly #known = new Map<string, EngineSet>()
  #seq = 0
  #dead = false

  /** `onIdle` is called after each answer, `onDeath` once, after everything that waited was rejected. */
  constructor(thread: EngineThread, onAnswer: () => void, onDeath: () => void) {
    const { worker } = thread
    this.#thread = thread
    this.#worker = worker
    worker.unref()
    worker.on('message', (message: FromWorker) => {
      this.#settle(message)
      onAnswer()
    })
    const die = (cause: unknown) => {
      if (this.#dead) return
      this.#dead = true
      this.rejectAll(new EngineError('ENGINE_WORKER_FAILED', 'a search worker died', { cause }))
      onDeath()
    }
    worker.on('error', die)
    worker.on('messageerror', die)
    worker.on('exit', (code) => die(new Error(`exit code ${code}`)))
  }

  get inFlight(): number {
    return this.#waiting.size
  }

  search(items: readonly SearchItem[], sets: ReadonlyMap<string, EngineSet>): Promise<readonly SearchResult[]> {
    for (const { id } of items) {
      const current = sets.get(id)
      if (current !== undefined) void this.#teach(id, current)
    }
    return this.#ask((seq) => ({ kind: 'search', seq, items }))
  }

  /** Resolves when the file is as it was built. */
  async verify(path: string, crc32: number): Promise<void> {
    await this.#ask((seq) => ({ kind: 'verify', seq, path, crc32 }))
  }

  /** Teaches the worker a set with its index, and fails if that cannot be opened. */
  async attach(id: string, current: EngineSet): Promise<void> {
    await this.#teach(id, current)
  }

  forget(id: string): void {
    if (this.#known.delete(id)) this.#send({ kind: 'drop', id })
  }

  rejectAll(error: unknown): void {
    const waiting = [...this.#waiting.values()]
    this.#waiting.clear()
    for (const one of waiting) one.reject(error)
  }

  async end(): Promise<void> {
    this.#dead = true
    await this.#thread.end()
  }

  /** Brings the worker's copy of a set up to date. Should the index not open there, it scans: slower, but as right. */
  #teach(id: string, current: EngineSet): Promise<unknown> | undefined {
    const known = this.#known.get(id)
    if (known === current) return undefined
    this.#known.set(id, current)
    if (known?.set !== current.set) this.#send({ kind: 'set', id, set: current.set })
    const { index } = current
    if (index === undefined) {
      if (known?.index !== undefined && known.set === current.set) this.#send({ kind: 'detach', id })
      return undefined
    }
    const opened = this.#ask((seq) => ({ kind: 'attach', seq, id, path: index.path }))
    opened.catch(() => undefined)
    return opened
  }

  #ask(make: (seq: number) => ToWorker): Promise<readonly SearchResult[]> {
    return new Promise((resolve, reject) => {
      const seq = ++this.#seq
      if (this.#waiting.size === 0) this.#worker.ref()
      this.#waiting.set(seq, { resolve, reject })
      this.#send(make(seq))
    })
  }

  #send(message: ToWorker): void {
    this.#worker.postMessage(message)
  }

  #settle(message: FromWorker): void {
    const waiting = this.#waiting.get(message.seq)
    if (waiting === undefined) return
    this.#waiting.delete(message.seq)
    if (this.#waiting.size === 0) this.#worker.unref()
    if ('results' in message) waiting.resolve(message.results)
    else waiting.reject(toError(message.error))
  }
}

export function toError({ code, message }: Failure): EngineError {
  if (isEngineErrorCode(code)) return new EngineError(code, message)
  if (code === 'ENOENT') return new EngineError('ENGINE_INDEX_CORRUPT', message)
  return new EngineError('ENGINE_WORKER_FAILED', message)
}
