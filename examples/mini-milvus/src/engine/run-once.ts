import type { EngineThread } from './engine-thread.edge.ts'
import { EngineError } from './errors.ts'
import type { FromOnce } from './protocol.ts'
import { toError } from './slot.ts'

/**
 * Waits for the one message of a thread that does one thing (`what`, for errors). The thread is gone afterwards, whatever happened.
 * An abort rejects with its reason.
 */
export async function runOnce<T>(thread: EngineThread, what: string, signals: readonly AbortSignal[]): Promise<T> {
  const { worker } = thread
  let abort = (): void => undefined
  try {
    return await new Promise<T>((resolve, reject) => {
      abort = () => reject(signals.find(({ aborted }) => aborted)?.reason as Error)
      for (const signal of signals) signal.addEventListener('abort', abort)
      if (signals.some(({ aborted }) => aborted)) return abort()
      worker.unref()
      worker.on('message', (message: FromOnce<T>) => ('error' in message ? reject(toError(message.error)) : resolve(message.result)))
      const die = (cause: unknown) => reject(new EngineError('ENGINE_WORKER_FAILED', `the thread that ${what} died`, { cause }))
      worker.on('error', die)
      worker.on('exit', (code) => die(new Error(`exit code ${code}`)))
    })
  } finally {
    for (const signal of signals) signal.removeEventListener('abort', abort)
    await thread.end()
  }
}
