/** The unmodified Node SDK in child processes, which a test can kill. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const script = fileURLToPath(new URL('./sdk-process.mjs', import.meta.url))

export interface SdkProcess {
  readonly child: ChildProcess
  /** Makes a client of this name. */
  connect(name: string, config: object): Promise<void>
  /** Calls a method of the client; results come as JSON. Rejects with {@link NoReply} where the SDK gives none. */
  call(name: string, method: string, ...args: readonly object[]): Promise<Record<string, unknown>>
  closeClient(name: string): Promise<void>
  /** Ends the process as a crash does. */
  kill(): Promise<void>
}

/** The SDK has answered nothing, neither result nor error: what became of the call is not known. */
export class NoReply extends Error {
  override readonly name = 'NoReply'
}

/** More than the SDK's own deadline; some of its calls outlive that when their server is killed. */
const REPLY_MS = 75_000

interface Command {
  readonly command: string
  readonly name: string
  readonly method?: string | undefined
  readonly args?: readonly object[] | undefined
  readonly config?: object | undefined
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
  const ask = (message: Command): Promise<Record<string, unknown>> =>
    new Promise((resolve, reject) => {
      const id = next++
      const timer = setTimeout(() => {
        waiting.delete(id)
        reject(new NoReply(`${message.name}: no reply to ${message.method ?? message.command} within ${REPLY_MS} ms`))
      }, REPLY_MS)
      timer.unref()
      const settled = <T>(settle: (value: T) => void) => (value: T): void => {
        clearTimeout(timer)
        settle(value)
      }
      waiting.set(id, { resolve: settled(resolve), reject: settled(reject) })
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
