/// <reference lib="esnext.disposable" />
/**
 * Sees from a worker thread that the event loop of the main thread is blocked, which nothing in that loop can: a counter in shared memory
 * stands still. Where the inspector can be had, the stack of what blocks is read while it blocks.
 */
import { Worker } from 'node:worker_threads'
import { checkDuration, checkFunction, checkObject, describeValue } from './arguments.ts'

export interface LoopStall {
  /** How long the loop had stood still when it was told. */
  readonly blockedMs: number
  /** What the main thread was doing, the innermost call first; empty where it cannot be told. */
  readonly stack: readonly string[]
}

export interface LoopWatchOptions {
  /** @default 1_000 */
  readonly thresholdMs?: number | undefined
  /**
   * What the worker does at once, while the main thread is still blocked: write one line to stderr; nothing; or end the process with SIGKILL
   * after `killAfterMs`. @default 'report'
   */
  readonly action?: 'report' | 'none' | 'kill' | undefined
  /** @default ten times `thresholdMs` */
  readonly killAfterMs?: number | undefined
  /** Ask the inspector for the stack. Stops the main thread for a moment. @default true */
  readonly stack?: boolean | undefined
  /** Called in the main thread, once it runs again. */
  readonly onStall?: ((stall: LoopStall) => void) | undefined
}

export interface LoopWatch extends AsyncDisposable {
  /** Resolves when the worker watches. */
  readonly ready: Promise<void>
  /** Idempotent; never rejects. */
  close(): Promise<void>
}

/** Plain JavaScript: a worker of its own, without a file to be found beside a bundle. */
const SOURCE = `
const { parentPort, workerData } = require('node:worker_threads')
const { cells, thresholdMs, killAfterMs, action, stack, pid } = workerData
const view = new Int32Array(cells)
let seen = Atomics.load(view, 0), since = performance.now(), told = false, session
const ask = (done) => {
  let answered = false
  const answer = (frames) => { if (!answered) { answered = true; done(frames) } }
  try {
    if (session === undefined) {
      const { Session } = require('node:inspector')
      session = new Session()
      session.connectToMainThread()
      const urls = new Map()
      session.on('Debugger.scriptParsed', ({ params }) => { if (urls.size < 10000) urls.set(params.scriptId, params.url) })
      session.on('Debugger.paused', ({ params }) => {
        const frames = params.callFrames.slice(0, 32).map((frame) => (frame.functionName || '(anonymous)') + ' (' + (frame.url || urls.get(frame.location.scriptId) || '?') + ':' + (frame.location.lineNumber + 1) + ':' + ((frame.location.columnNumber ?? 0) + 1) + ')')
        session.post('Debugger.resume')
        session.post('Debugger.disable')
        session.take?.(frames)
      })
    }
    session.take = answer
    session.post('Debugger.enable')
    session.post('Debugger.pause')
    setTimeout(() => { session.post('Debugger.disable'); answer([]) }, 300)
  } catch { answer([]) }
}
const tell = (blockedMs, frames) => {
  if (action !== 'none') require('node:fs').writeSync(2, JSON.stringify({ level: 'warn', msg: 'event loop blocked', blockedMs: Math.round(blockedMs), stack: frames }) + '\\n')
  parentPort.postMessage({ blockedMs, stack: frames })
}
setInterval(() => {
  const count = Atomics.load(view, 0), now = performance.now()
  if (count !== seen) { seen = count; since = now; told = false; return }
  const blockedMs = now - since
  if (!told && blockedMs > thresholdMs) {
    told = true
    if (stack) ask((frames) => tell(blockedMs, frames)); else tell(blockedMs, [])
  }
  if (action === 'kill' && blockedMs > killAfterMs) process.kill(pid, 'SIGKILL')
}, Math.max(1, thresholdMs / 4))
parentPort.postMessage('ready')
`

export function startLoopWatch(options: LoopWatchOptions = {}): LoopWatch {
  checkObject('options', options)
  const { action = 'report', stack = true, onStall } = options
  if (!['report', 'none', 'kill'].includes(action)) throw new TypeError(`expected \`action\` to be 'report', 'none' or 'kill', got ${describeValue(action)}`)
  if (onStall !== undefined) checkFunction('onStall', onStall)
  const thresholdMs = checkDuration('thresholdMs', options.thresholdMs ?? 1_000, 5)
  const killAfterMs = checkDuration('killAfterMs', options.killAfterMs ?? Math.min(thresholdMs * 10, 2 ** 31 - 1), thresholdMs)
  const cells = new SharedArrayBuffer(4)
  const view = new Int32Array(cells)
  const timer = setInterval(() => void Atomics.add(view, 0, 1), Math.max(1, thresholdMs / 4))
  timer.unref()
  const worker = new Worker(SOURCE, { eval: true, workerData: { cells, thresholdMs, killAfterMs, action, stack, pid: process.pid } })
  worker.unref()
  let closing: Promise<void> | undefined
  const ready = new Promise<void>((resolve, reject) => {
    worker.on('message', (message: 'ready' | LoopStall) => (message === 'ready' ? resolve() : onStall?.(message)))
    worker.once('error', reject)
    worker.once('exit', () => resolve())
  })
  ready.catch(() => undefined)
  const close = (): Promise<void> => {
    clearInterval(timer)
    return (closing ??= worker.terminate().then(() => undefined))
  }
  return { ready, close, [Symbol.asyncDispose]: close }
}
