/** The side of a worker thread: `serveOperator(operate)` in the file that `createWorkerNode` is given. Imports nothing of the package. */
import { parentPort } from 'node:worker_threads'
import type { Msg, OperateResult } from './msg.ts'

export interface WorkerOperate {
  /** As `Node.operate`, on copies; skip markers are plain objects with `skipThisTick`. Calls overlap if it answers with promises. */
  (inputs: readonly Msg[]): OperateResult | Promise<OperateResult>
}

/** Call once. `transferOf` names what the result may move instead of copy (array buffers, ports). */
export function serveOperator(operate: WorkerOperate, transferOf: (result: OperateResult) => readonly ArrayBuffer[] = () => []): void {
  const port = parentPort
  if (port === null) throw new TypeError('expected `serveOperator` to be called in a worker thread')
  port.on('message', ({ id, inputs }: { readonly id: number; readonly inputs: readonly Msg[] }) => {
    const answer = async (): Promise<void> => {
      const result = await operate(inputs)
      port.postMessage({ id, result }, [...transferOf(result)])
    }
    answer().catch((error: unknown) => port.postMessage({ id, error: error instanceof Error ? error : new Error(String(error)) }))
  })
}
