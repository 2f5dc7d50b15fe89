/** Threads of the engine, which are never ended inside native code. */
import { type Transferable, Worker } from 'node:worker_threads'
import { closeGate, createGate, isInside, type NativeGate, waitOutside } from './native-gate.ts'
import type { WorkerRole } from './protocol.ts'

/** How long a process that ends without closing the engine waits for a native call: longer than a search, or a step of a build. */
const EXIT_WAIT_MS = 5000

const living = new Set<EngineThread>()

/** `process.exit` ends threads wherever they are. */
function leaveNativeCode(): void {
  for (const thread of living) closeGate(thread.gate)
  for (const thread of living) waitOutside(thread.gate, EXIT_WAIT_MS)
}

export class EngineThread {
  readonly worker: Worker
  readonly gate: NativeGate = createGate()
  #exited = false

  /** `moved` goes to the thread instead of being copied. */
  constructor(url: URL, role: WorkerRole, moved: readonly Transferable[] = []) {
    this.worker = new Worker(url, { workerData: { ...role, gate: this.gate }, transferList: [...moved] })
    if (living.size === 0) process.on('exit', leaveNativeCode)
    living.add(this)
    this.worker.once('exit', () => {
      this.#exited = true
      living.delete(this)
      if (living.size === 0) process.off('exit', leaveNativeCode)
    })
  }

  /** Ends the thread as soon as it is outside native code. */
  async end(): Promise<void> {
    closeGate(this.gate)
    while (!this.#exited && isInside(this.gate)) await new Promise((resolve) => setTimeout(resolve, 1))
    await this.worker.terminate()
  }
}
