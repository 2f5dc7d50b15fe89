import type { EngineThread } from './engine-thread.edge.ts'
import { EngineError } from './errors.ts'
import { type FileSum, removeFile } from './index-file.edge.ts'
import type { BuildJob, FromBuilder } from './protocol.ts'
import { toError } from './slot.ts'

/** Runs a build in its worker to the end; an abort stops it before its next chunk of rows and rejects with the reason. */
export async function runBuilder(
  thread: EngineThread,
  job: BuildJob,
  onProgress: ((rows: number) => void) | undefined,
  signals: readonly AbortSignal[],
): Promise<FileSum> {
  const { worker } = thread
  const cancel = () => void Atomics.store(job.cancel, 0, 1)
  for (const signal of signals) {
    signal.addEventListener('abort', cancel)
    if (signal.aborted) cancel()
  }
  try {
    return await new Promise<FileSum>((resolve, reject) => {
      worker.on('message', (message: FromBuilder) => {
        if (message.kind === 'progress') onProgress?.(message.rows)
        else if (message.kind === 'done') resolve({ bytes: message.bytes, crc32: message.crc32 })
        else if (message.kind === 'failed') reject(toError(message.error))
        else reject(signals.find((signal) => signal.aborted)?.reason ?? new Error('cancelled'))
      })
      const die = (cause: unknown) => reject(new EngineError('ENGINE_INDEX_FAILED', 'the thread of an index build died', { cause }))
      worker.on('error', die)
      worker.on('exit', (code) => die(new Error(`exit code ${code}`)))
    })
  } catch (error) {
    // Nothing writes to the file any more.
    await thread.end()
    await removeFile(job.path).catch(() => undefined)
    throw error
  } finally {
    for (const signal of signals) signal.removeEventListener('abort', cancel)
    // Idempotent.
    await thread.end()
  }
}
