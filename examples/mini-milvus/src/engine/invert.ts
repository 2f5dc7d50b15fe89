import type { Worker } from 'node:worker_threads'
import { EngineError } from './errors.ts'
import type { FromInverter } from './protocol.ts'
import type { Postings } from './sparse.ts'

/** Waits for the postings that a worker builds; the worker is gone afterwards, whatever happened. An abort rejects with its reason. */
export async function runInverter(worker: Worker, signal: AbortSignal): Promise<Postings> {
  let abort = (): void => undefined
  try {
    return await new Promise<Postings>((resolve, reject) => {
      abort = () => reject(signal.reason as Error)
      if (signal.aborted) return abort()
      signal.addEventListener('abort', abort)
      worker.unref()
      worker.on('message', (message: FromInverter) => resolve(message.postings))
      const die = (cause: unknown) => reject(new EngineError('ENGINE_WORKER_FAILED', 'the thread that inverts sparse vectors died', { cause }))
      worker.on('error', die)
      worker.on('exit', (code) => die(new Error(`exit code ${code}`)))
    })
  } finally {
    signal.removeEventListener('abort', abort)
    await worker.terminate()
  }
}
