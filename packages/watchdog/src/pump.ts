/** The dump of beats into a sink: NDJSON to a stream, or lines to a logger. */
import { checkFunction, checkObject } from './arguments.ts'
import type { HeartbeatDump } from './watchdog.ts'

/** A `node:stream` Writable, or anything like it. */
export interface LineSink {
  write(chunk: string): unknown
  once?(event: 'drain' | 'close' | 'error', listener: () => void): unknown
  removeListener?(event: 'drain' | 'close' | 'error', listener: () => void): unknown
}

export interface PumpOptions {
  /** Ends the pump, quietly. */
  readonly signal?: AbortSignal | undefined
}

/**
 * Writes each line and a newline until the dump ends. A sink that is full is waited for: meanwhile the dump drops its oldest lines, and
 * nobody else is held up. For a logger: `{ write: (line) => logger.info(JSON.parse(line)) }`.
 * @returns the number of lines
 * @throws what `write` throws
 */
export async function pumpDump(dump: HeartbeatDump, sink: LineSink, { signal }: PumpOptions = {}): Promise<number> {
  checkObject('dump', dump)
  checkObject('sink', sink)
  checkFunction('sink.write', Reflect.get(sink, 'write'))
  if (signal?.aborted === true) return 0
  const lines = dump[Symbol.asyncIterator]()
  const stop = (): void => void lines.return?.()
  signal?.addEventListener('abort', stop, { once: true })
  let count = 0
  try {
    for (let next = await lines.next(); next.done !== true; next = await lines.next()) {
      const more = sink.write(`${next.value}\n`)
      count++
      if (more === false && sink.once !== undefined) await drained(sink, signal)
    }
    return count
  } finally {
    signal?.removeEventListener('abort', stop)
    await lines.return?.()
  }
}

function drained(sink: LineSink, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve()
    const events = ['drain', 'close', 'error'] as const
    const done = (): void => {
      signal?.removeEventListener('abort', done)
      for (const event of events) sink.removeListener?.(event, done)
      resolve()
    }
    signal?.addEventListener('abort', done, { once: true })
    for (const event of events) sink.once?.(event, done)
  })
}
