/** The program of the engine's threads. */
import { parentPort, workerData } from 'node:worker_threads'
import { build } from './build.ts'
import { EngineError } from './errors.ts'
import { lowerThreadPriority, sumFile } from './index-file.edge.ts'
import type { VectorSet } from './metric.ts'
import { type Graph, openGraph } from './graph.ts'
import { type NativeGate, useGate } from './native-gate.ts'
import { type BuildJob, type FromBuilder, type FromOnce, type FromWorker, type SearchItem, toFailure, type ToWorker, type WorkerRole } from './protocol.ts'
import { type SearchResult, searchSet } from './search.ts'
import { buildPostings } from './sparse.ts'
import { writeColumnFile } from '../scalar/index.ts'

interface KnownSet {
  readonly set: VectorSet
  graph: Graph | undefined
}

/** Results above this are moved to the other thread, smaller ones copied: moving costs more than copying a few hits. */
const MOVE_BYTES = 16 * 1024

class SearchServer {
  readonly #sets = new Map<string, KnownSet>()
  readonly #post: (message: FromWorker, transfer: ArrayBuffer[]) => void
  /** Set while an index is opened: what comes after it waits, in order. */
  #waiting: ToWorker[] | undefined

  constructor(post: (message: FromWorker, transfer: ArrayBuffer[]) => void) {
    this.#post = post
  }

  receive(message: ToWorker): void {
    if (message.kind === 'verify') void this.#verify(message)
    else if (this.#waiting !== undefined) this.#waiting.push(message)
    else this.#handle(message)
  }

  #handle(message: Exclude<ToWorker, { kind: 'verify' }>): void {
    switch (message.kind) {
      case 'set':
        this.#sets.set(message.id, { set: message.set, graph: undefined })
        break
      case 'drop':
        this.#sets.delete(message.id)
        break
      case 'detach': {
        const known = this.#sets.get(message.id)
        if (known !== undefined) known.graph = undefined
        break
      }
      case 'search':
        this.#answer(message.seq, message.items)
        break
      case 'attach':
        this.#waiting = []
        void this.#attach(message).finally(() => this.#resume())
    }
  }

  #resume(): void {
    const waiting = this.#waiting ?? []
    this.#waiting = undefined
    for (const message of waiting) this.receive(message)
  }

  #answer(seq: number, items: readonly SearchItem[]): void {
    try {
      const results = items.map(({ id, query }) => {
        const known = this.#sets.get(id)
        if (known === undefined) throw new EngineError('ENGINE_UNKNOWN_SET', `no vectors are known as ${id}`)
        return searchSet(known.set, known.graph, query)
      })
      this.#post({ seq, results }, results.flatMap(buffersToMove))
    } catch (error) {
      this.#post({ seq, error: toFailure(error) }, [])
    }
  }

  async #verify(message: { readonly seq: number; readonly path: string; readonly crc32: number }): Promise<void> {
    try {
      const sum = await sumFile(message.path)
      if (sum.crc32 !== message.crc32) {
        throw new EngineError(
          'ENGINE_INDEX_CORRUPT',
          `${message.path}: its CRC32 is ${sum.crc32}, expected ${message.crc32} (${sum.bytes} bytes)`,
        )
      }
      this.#post({ seq: message.seq, results: [] }, [])
    } catch (error) {
      this.#post({ seq: message.seq, error: toFailure(error) }, [])
    }
  }

  async #attach(message: Extract<ToWorker, { kind: 'attach' }>): Promise<void> {
    try {
      const known = this.#sets.get(message.id)
      if (known === undefined) throw new EngineError('ENGINE_UNKNOWN_SET', `no vectors are known as ${message.id}`)
      known.graph = await openGraph(message.path, known.set)
      this.#post({ seq: message.seq, results: [] }, [])
    } catch (error) {
      this.#post({ seq: message.seq, error: toFailure(error) }, [])
    }
  }
}

function buffersToMove({ counts, rows, scores }: SearchResult): ArrayBuffer[] {
  if (rows.byteLength < MOVE_BYTES) return []
  return [counts, rows, scores].map(({ buffer }) => buffer).filter((buffer): buffer is ArrayBuffer => buffer instanceof ArrayBuffer)
}

async function runBuild(job: BuildJob, post: (message: FromBuilder) => void): Promise<void> {
  lowerThreadPriority()
  try {
    const sum = await build(job, (rows) => post({ kind: 'progress', rows }))
    post(sum === undefined ? { kind: 'cancelled' } : { kind: 'done', ...sum })
  } catch (error) {
    post({ kind: 'failed', error: toFailure(error) })
  }
}

function answerOnce<T>(work: () => T): void {
  lowerThreadPriority()
  let answer: FromOnce<T>
  try {
    answer = { result: work() }
  } catch (error) {
    answer = { error: toFailure(error) }
  }
  parentPort?.postMessage(answer)
}

const port = parentPort
if (port === null) throw new Error('this file is the program of a worker thread')
const { gate, ...role } = workerData as WorkerRole & { readonly gate: NativeGate }
useGate(gate)
if (role.role === 'invert') {
  answerOnce(() => buildPostings(role.job))
} else if (role.role === 'sort') {
  answerOnce(() => writeColumnFile(role.job.column))
} else if (role.role === 'build') {
  void runBuild(role.job, (message) => port.postMessage(message))
} else {
  const server = new SearchServer((message, transfer) => port.postMessage(message, transfer))
  port.on('message', (message: ToWorker) => server.receive(message))
}
