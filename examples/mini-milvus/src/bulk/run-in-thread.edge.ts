/** Runs an import in a thread of its own, with bounded memory; reads, ids and stores are this side's. */
import { Worker } from 'node:worker_threads'
import { resolveWorkerUrl } from '../engine/worker-url.edge.ts'
import { ImportError } from './errors.ts'
import type { ImportPlan, ImportWorld } from './plan.ts'
import type { FromImport, ToImport } from './protocol.ts'

/** Runs a plan to its end; rejects with the signal's reason once it is aborted. */
export type ImportRunner = (plan: ImportPlan, world: ImportWorld, signal: AbortSignal) => Promise<void>

const HEAP_MB = 512

export async function runInThread(plan: ImportPlan, world: ImportWorld, signal: AbortSignal): Promise<void> {
  const url = await resolveWorkerUrl('import')
  signal.throwIfAborted()
  const worker = new Worker(url, { workerData: { plan }, resourceLimits: { maxOldGenerationSizeMb: HEAP_MB }, stdout: false, stderr: false })
  let abort: (() => void) | undefined
  try {
    await new Promise<void>((resolve, reject) => {
      abort = () => reject(signal.reason as Error)
      signal.addEventListener('abort', abort, { once: true })
      worker.on('message', (message: FromImport) => {
        if (message.kind === 'done') resolve()
        else if (message.kind === 'failed') reject(message.isRefusal ? new ImportError(message.message) : new Error(message.message))
        else if (message.kind === 'progress') world.progress(message.progress)
        else void answer(worker, world, message, reject)
      })
      worker.on('error', (error: Error) => reject(memoryError(error)))
      worker.on('messageerror', (error: Error) => reject(error))
      worker.on('exit', () => reject(new Error('the thread of the import ended')))
    })
  } finally {
    if (abort !== undefined) signal.removeEventListener('abort', abort)
    await worker.terminate()
  }
}

function memoryError(error: Error): Error {
  if (!('code' in error) || error.code !== 'ERR_WORKER_OUT_OF_MEMORY') return error
  return new ImportError(`the files need more than ${HEAP_MB} MB to be read: are there very long rows?`, { cause: error })
}

type Question = Exclude<FromImport, { kind: 'done' | 'failed' | 'progress' }>

/** What fails on this side, such as a store, keeps its own error. */
async function answer(worker: Worker, world: ImportWorld, question: Question, fail: (error: Error) => void): Promise<void> {
  const { seq } = question
  const post = (message: ToImport, transfer: ArrayBuffer[] = []): void => worker.postMessage(message, transfer)
  try {
    if (question.kind === 'read') {
      const value = await world.read(question.file, question.part, question.offset, question.length)
      post({ seq, value }, value.buffer instanceof ArrayBuffer ? [value.buffer] : [])
    } else if (question.kind === 'ids') post({ seq, value: await world.allocateIds(question.count) })
    else if (question.kind === 'store') post({ seq, value: (await world.store(question.segment), undefined) })
    else post({ seq, value: (await world.checkpoint(question.checkpoint), undefined) })
  } catch (error) {
    fail(error instanceof Error ? error : new Error(String(error)))
  }
}
