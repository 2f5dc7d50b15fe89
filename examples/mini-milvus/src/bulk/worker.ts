/** The program of an import's thread: a bad file, however bad, ends the thread and fails its job, and nothing else. */
import { parentPort, workerData } from 'node:worker_threads'
import { isImportError } from './errors.ts'
import type { ImportWorld } from './plan.ts'
import type { FromImport, ImportThreadData, ToImport } from './protocol.ts'
import { runImport } from './run-import.ts'

interface Waiting {
  resolve(value: Uint8Array | bigint | undefined): void
  reject(error: Error): void
}

class Thread {
  readonly #waiting = new Map<number, Waiting>()
  #seq = 0

  settle(message: ToImport): void {
    const waiting = this.#waiting.get(message.seq)
    this.#waiting.delete(message.seq)
    if ('error' in message) waiting?.reject(new Error(message.error))
    else waiting?.resolve(message.value)
  }

  ask(make: (seq: number) => FromImport, transfer: readonly ArrayBuffer[] = []): Promise<Uint8Array | bigint | undefined> {
    return new Promise((resolve, reject) => {
      const seq = ++this.#seq
      this.#waiting.set(seq, { resolve, reject })
      post(make(seq), transfer)
    })
  }
}

function post(message: FromImport, transfer: readonly ArrayBuffer[] = []): void {
  parentPort?.postMessage(message, [...transfer])
}

function worldOf(thread: Thread): ImportWorld {
  return {
    async read(file, part, offset, length) {
      return (await thread.ask((seq) => ({ kind: 'read', seq, file, part, offset, length }))) as Uint8Array
    },
    async allocateIds(count) {
      return (await thread.ask((seq) => ({ kind: 'ids', seq, count }))) as bigint
    },
    async store(segment) {
      await thread.ask((seq) => ({ kind: 'store', seq, segment }), [segment.data.buffer as ArrayBuffer])
    },
    async checkpoint(checkpoint) {
      await thread.ask((seq) => ({ kind: 'checkpoint', seq, checkpoint }))
    },
    progress: (progress) => post({ kind: 'progress', progress }),
  }
}

const { plan } = workerData as ImportThreadData
const thread = new Thread()
parentPort?.on('message', (message: ToImport) => thread.settle(message))
runImport(plan, worldOf(thread), async () => undefined)
  .then(
    () => post({ kind: 'done' }),
    (error: unknown) => {
      const isRefusal = isImportError(error) || (error instanceof Error && error.name === 'CodecError')
      post({ kind: 'failed', message: error instanceof Error ? error.message : String(error), isRefusal })
    },
  )
  .finally(() => parentPort?.close())
