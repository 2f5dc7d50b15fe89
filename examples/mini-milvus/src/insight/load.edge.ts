/** How busy this process is: what takes turns with the calls of clients waits longer the busier it is. */
import { availableParallelism } from 'node:os'

/** Looked at no more often than that. */
const WINDOW_MS = 200

/** 0 (idle) to 1: the share of its time that the loop is busy or, where that is more, the share of all processors that the process takes. */
export function createLoadMeter(): () => number {
  const processors = availableParallelism()
  let at = performance.now()
  let cpu = process.cpuUsage()
  let loop = performance.eventLoopUtilization()
  let load = 0
  return () => {
    const now = performance.now()
    if (now - at < WINDOW_MS) return load
    const { user, system } = process.cpuUsage(cpu)
    load = Math.min(1, Math.max(performance.eventLoopUtilization(loop).utilization, (user + system) / 1000 / (now - at) / processors))
    at = now
    cpu = process.cpuUsage()
    loop = performance.eventLoopUtilization()
    return load
  }
}
