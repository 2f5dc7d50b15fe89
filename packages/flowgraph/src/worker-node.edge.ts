/** Operators in worker threads. */
import { Worker } from 'node:worker_threads'
import { checkFunction, checkInteger } from './arguments.ts'
import type { Msg, OperateResult } from './msg.ts'
import { BaseNode } from './node.ts'
import type { BaseNodeOptions } from './node.ts'

export interface WorkerNodeOptions extends BaseNodeOptions {
  /** Threads, 1 to 256; each tick goes to the one with the fewest. @default 1 */
  readonly threads?: number | undefined
  /** Ticks that may be out at once. @default 2 for each thread */
  readonly maxParallelism?: number | undefined
  /** What of the inputs moves into the thread instead of being copied. Only where no sibling of a fan-out reads it. @default nothing */
  readonly transferOf?: ((inputs: readonly Msg[]) => readonly ArrayBuffer[]) | undefined
}

/**
 * A node whose `operate` runs in threads: `file` calls `serveOperator` of `@timetick/flowgraph/worker`. Messages are copied by structured clone
 * or moved; results leave in the order of ticks, as with all promises. A thread that dies fails its ticks, and every later one: the error policy
 * applies. Threads start with the first tick and end when the node closes.
 */
export function createWorkerNode(name: string, file: URL, options: WorkerNodeOptions = {}): BaseNode {
  return new WorkerNode(name, file, options)
}

interface Call {
  readonly resolve: (result: OperateResult) => void
  readonly reject: (error: unknown) => void
}

interface Answer {
  readonly id: number
  readonly result?: OperateResult
  readonly error?: unknown
}

interface Thread {
  readonly worker: Worker
  readonly calls: Map<number, Call>
  dead: unknown
}

class WorkerNode extends BaseNode {
  readonly #file: URL
  readonly #size: number
  readonly #transferOf: (inputs: readonly Msg[]) => readonly ArrayBuffer[]
  #threads: Thread[] | undefined
  #nextId = 0

  constructor(name: string, file: URL, options: WorkerNodeOptions) {
    const threads = checkInteger('threads', options.threads ?? 1, 1, 256)
    super(name, { ...options, maxParallelism: options.maxParallelism ?? threads * 2 })
    if (!(file instanceof URL)) throw new TypeError('expected `file` to be a URL')
    if (options.transferOf !== undefined) checkFunction('transferOf', options.transferOf)
    this.#file = file
    this.#size = threads
    this.#transferOf = options.transferOf ?? (() => [])
  }

  operate(inputs: readonly Msg[]): Promise<OperateResult> {
    this.#threads ??= Array.from({ length: this.#size }, () => startThread(this.#file))
    const thread = this.#threads.reduce((least, other) => (other.calls.size < least.calls.size ? other : least))
    if (thread.dead !== undefined) return Promise.reject(asError(thread.dead))
    const id = this.#nextId++
    // A marker's flag is a getter, which a clone would lose.
    const plain = inputs.map((msg) => (msg.skipThisTick === true ? { timeTick: msg.timeTick, skipThisTick: true } : msg))
    return new Promise((resolve, reject) => {
      thread.calls.set(id, { resolve, reject })
      try {
        thread.worker.postMessage({ id, inputs: plain }, [...this.#transferOf(inputs)])
      } catch (error) {
        thread.calls.delete(id)
        reject(asError(error))
      }
    })
  }

  async close(): Promise<void> {
    const threads = this.#threads ?? []
    this.#threads = []
    await Promise.all(threads.map(({ worker }) => worker.terminate()))
  }
}

function startThread(file: URL): Thread {
  const thread: Thread = { worker: new Worker(file), calls: new Map(), dead: undefined }
  const die = (error: unknown): void => {
    thread.dead ??= error
    for (const { reject } of thread.calls.values()) reject(asError(thread.dead))
    thread.calls.clear()
  }
  thread.worker.on('message', ({ id, result, error }: Answer) => {
    const call = thread.calls.get(id)
    thread.calls.delete(id)
    if (error === undefined) call?.resolve(result)
    else call?.reject(error)
  })
  thread.worker.on('error', die)
  thread.worker.on('messageerror', die)
  thread.worker.on('exit', (code) => die(new Error(`the worker thread ended with code ${code}`)))
  return thread
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error))
}
