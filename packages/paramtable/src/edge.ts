/** The only file of this package's core that touches real time. */
import type { BigIntStats } from 'node:fs'
import { open, stat } from 'node:fs/promises'
import type { Clock } from './clock.ts'

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer(callback, delayMs) {
    const timer = setTimeout(callback, Math.min(Math.max(delayMs, 0), 2 ** 31 - 1))
    timer.unref()
    return () => clearTimeout(timer)
  },
}

/** A file at one moment. */
export interface ReadFile {
  readonly text: string
  /** Differs from that of any other file and, but for changes within the clock of the file system, of the same file after a change. */
  readonly stamp: string
  readonly changedAtMs: number
}

/** The text of a file. A file above `maxBytes`, or one that is not UTF-8, is refused. */
export async function readTextFile(path: string, maxBytes: number, signal: AbortSignal | undefined): Promise<ReadFile> {
  const handle = await open(path, 'r')
  try {
    const stats = await handle.stat({ bigint: true })
    if (stats.size > maxBytes) throw new RangeError(`expected at most ${maxBytes} bytes, got ${stats.size}`)
    signal?.throwIfAborted()
    const text = new TextDecoder('utf-8', { fatal: true }).decode(await handle.readFile())
    return { text, stamp: stampOf(stats), changedAtMs: Number(stats.mtimeMs) }
  } finally {
    await handle.close()
  }
}

/** `undefined` when the file is not there. */
export async function stampAt(path: string): Promise<string | undefined> {
  try {
    return stampOf(await stat(path, { bigint: true }))
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

export function isMissing(error: unknown): boolean {
  return (error as { readonly code?: unknown } | null)?.code === 'ENOENT'
}

function stampOf({ dev, ino, size, mtimeNs, ctimeNs }: BigIntStats): string {
  return [dev, ino, size, mtimeNs, ctimeNs].join(':')
}
