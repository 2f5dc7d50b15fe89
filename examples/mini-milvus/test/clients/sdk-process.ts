/** The unmodified Node SDK in child processes, which a test can kill. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const script = fileURLToPath(new URL('./sdk-process.mjs', import.meta.url))

export interface SdkProcess {
  readonly child: ChildProcess
  /** Makes a client of this name. */
  connect(name: string, config: object): Promise<void>
  /** Calls a method of the client; results come as JSON. */
  call(name: string, method: string, ...args: readonly object[]): Promise<Record<string, unknown>>
  closeClient(name: string): Promise<void>
  /** Ends the process as a crash does. */
  kill(): Promise<void>
}

interface Answer {
  readonly id?: number
  readonly ready?: true
  readonly result?: Record<string, unknown> | null
  readonly error?: string
}

export async function startSdkProcess(): Promise<SdkProcess> {
  const child = fork(script, { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const waiting = new Map<number, { resolve(value: Record<string, unknown>): void; reject(error: Error): void }>()
  const exited = once(child, 'exit').then(() => {
    for (const { reject } of waiting.values()) reject(new Error('the process ended'))
    waiting.clear()
  })
  let next = 0
  const ask = (message: object): Promise<Record<string, unknown>> =>
    new Promise((resolve, reject) => {
      const id = next++
      waiting.set(id, { resolve, reject })
      child.send({ id, ...message }, (error) => {
        if (error !== null) reject(error)
      })
    })
  await new Promise<void>((resolve, reject) => {
    child.once('exit', () => reject(new Error('the process ended at its start')))
    child.on('message', ({ id, ready, result, error }: Answer) => {
      if (ready === true) return resolve()
      const asked = waiting.get(id ?? -1)
      waiting.delete(id ?? -1)
      if (error === undefined) asked?.resolve(result ?? {})
      else asked?.reject(new Error(error))
    })
  })
  return {
    child,
    connect: (name, config) => ask({ command: 'connect', name, config }).then(() => undefined),
    call: (name, method, ...args) => ask({ command: 'call', name, method, args }),
    closeClient: (name) => ask({ command: 'close', name }).then(() => undefined),
    async kill() {
      child.kill('SIGKILL')
      await exited
    },
  }
}
