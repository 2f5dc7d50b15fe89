/** Child processes and worker threads as components. */
import { fork } from 'node:child_process'
import { parentPort, Worker } from 'node:worker_threads'
import { checkDuration, checkName, checkObject } from '../arguments.ts'
import type { Status } from '../component.ts'
import { INCARNATION_VARIABLE } from './beat.ts'
import type { BeatMessage } from './beat.ts'
import { createLiving } from './life.ts'
import type { Life, LifeHooks, LivingComponent } from './life.ts'

export interface ChildComponentOptions {
  readonly id: string
  /** The module that the child runs; it calls `startBeats`. */
  readonly modulePath: string | URL
  readonly args?: readonly string[] | undefined
  readonly execArgv?: readonly string[] | undefined
  /** @default the parent's */
  readonly env?: Readonly<Record<string, string | undefined>> | undefined
  /** SIGTERM, then SIGKILL after so long: a child that hangs, or is stopped, does not hear the first. @default 2_000 */
  readonly killGraceMs?: number | undefined
  readonly dependsOn?: readonly string[] | undefined
  /** @default 'inherit' */
  readonly stdio?: 'inherit' | 'ignore' | undefined
  /** Of each life; for logs. */
  readonly onSpawn?: ((pid: number, incarnation: number) => void) | undefined
}

export interface WorkerComponentOptions {
  readonly id: string
  readonly modulePath: string | URL
  readonly workerData?: unknown
  /** A worker that blocks cannot be asked; it is terminated after so long. @default 500 */
  readonly killGraceMs?: number | undefined
  readonly dependsOn?: readonly string[] | undefined
}

/** A component that is a child process. It ends when the parent does. */
export function createChildComponent(options: ChildComponentOptions): LivingComponent {
  checkObject('options', options)
  const { modulePath, args = [], execArgv, env = process.env, stdio = 'inherit', onSpawn, dependsOn } = options
  const graceMs = checkDuration('killGraceMs', options.killGraceMs ?? 2_000)
  const begin = ({ incarnation, onMessage }: LifeHooks): Promise<Life> => {
    const child = fork(modulePath, args, {
      ...(execArgv === undefined ? {} : { execArgv: [...execArgv] }),
      env: { ...env, [INCARNATION_VARIABLE]: String(incarnation) },
      stdio: [stdio === 'ignore' ? 'ignore' : 'inherit', stdio, stdio, 'ipc'],
    })
    child.on('message', onMessage)
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
    return new Promise((resolve, reject) => {
      child.once('error', reject)
      child.once('spawn', () => {
        child.off('error', reject)
        // A signal or a message that cannot be delivered: `exit` tells the rest.
        child.on('error', () => {})
        onSpawn?.(child.pid ?? 0, incarnation)
        resolve({ ended, stop: (hard) => void child.kill(hard ? 'SIGKILL' : 'SIGTERM') })
      })
    })
  }
  return createLiving({ id: checkName('id', options.id), dependsOn, graceMs, wait, begin })
}

/** A component that is a worker thread. */
export function createWorkerComponent(options: WorkerComponentOptions): LivingComponent {
  checkObject('options', options)
  const { modulePath, dependsOn } = options
  const graceMs = checkDuration('killGraceMs', options.killGraceMs ?? 500)
  const begin = ({ incarnation, onMessage }: LifeHooks): Promise<Life> => {
    const worker = new Worker(modulePath, { workerData: options.workerData, env: { ...process.env, [INCARNATION_VARIABLE]: String(incarnation) } })
    worker.on('message', onMessage)
    const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()))
    const stop = (hard: boolean): void => {
      if (hard) void worker.terminate()
      else worker.postMessage({ timetick: 'stop' })
    }
    return new Promise((resolve, reject) => {
      worker.once('error', reject)
      worker.once('online', () => {
        worker.off('error', reject)
        // An uncaught error ends the worker; the component dies with it.
        worker.on('error', () => {})
        resolve({ ended, stop })
      })
    })
  }
  return createLiving({ id: checkName('id', options.id), dependsOn, graceMs, wait, begin })
}

export interface BeatOptions {
  /** @default 1_000 */
  readonly intervalMs?: number | undefined
  /** Asked before each beat. @default always `healthy` */
  readonly status?: (() => Status) | undefined
  /** A worker was asked to end. @default `process.exit()` in the worker */
  readonly onStop?: (() => void) | undefined
}

/** Called in the child or worker: beats from its own event loop, so that a blocked loop is silent. The result ends them. */
export function startBeats(options: BeatOptions = {}): () => void {
  checkObject('options', options)
  const intervalMs = checkDuration('intervalMs', options.intervalMs ?? 1_000, 1)
  const { status = () => 'healthy', onStop = () => process.exit() } = options
  const incarnation = Number(process.env[INCARNATION_VARIABLE] ?? 0)
  let seq = 0
  const send = (): void => {
    const message: BeatMessage = { timetick: 'beat', status: status(), incarnation, seq: seq++ }
    if (parentPort !== null) parentPort.postMessage(message)
    // A parent that is gone is told by `disconnect`.
    else if (process.connected) process.send?.(message, undefined, {}, () => {})
  }
  const timer = setInterval(send, intervalMs)
  const onMessage = (message: unknown): void => {
    if ((message as { timetick?: unknown } | null)?.timetick === 'stop') onStop()
  }
  const onDisconnect = (): void => process.exit()
  parentPort?.on('message', onMessage)
  if (parentPort === null) process.once('disconnect', onDisconnect)
  send()
  return () => {
    clearInterval(timer)
    parentPort?.off('message', onMessage)
    process.off('disconnect', onDisconnect)
  }
}


function wait(delayMs: number): { over: Promise<void>; cancel: () => void } {
  let timer: NodeJS.Timeout | undefined
  const over = new Promise<void>((resolve) => (timer = setTimeout(resolve, delayMs)))
  return { over, cancel: () => clearTimeout(timer) }
}
