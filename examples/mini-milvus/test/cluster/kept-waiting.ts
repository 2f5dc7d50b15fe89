/** How long processes could run and were not let to: what a machine that does other things adds to each of their answers. */
import { readFile } from 'node:fs/promises'

/** Of the main thread, since it began; 0 where the system does not tell. */
async function waitedMs(pid: number): Promise<number> {
  try {
    // Nanoseconds on a processor, nanoseconds in the queue for one, turns.
    const [, waited = '0'] = (await readFile(`/proc/${pid}/schedstat`, 'utf8')).split(' ')
    return Number(waited) / 1e6
  } catch {
    return 0
  }
}

export interface Stopwatch {
  /** Time that passed, less what the process that waited longest for a processor waited. On a machine of its own: the time that passed. */
  elapsedMs(): Promise<number>
}

export async function startStopwatch(pids: readonly number[]): Promise<Stopwatch> {
  const from = performance.now()
  const before = await Promise.all(pids.map(waitedMs))
  return {
    async elapsedMs() {
      const after = await Promise.all(pids.map(waitedMs))
      const most = Math.max(0, ...after.map((waited, at) => waited - (before[at] ?? 0)))
      return Math.max(0, Math.round(performance.now() - from - most))
    },
  }
}
