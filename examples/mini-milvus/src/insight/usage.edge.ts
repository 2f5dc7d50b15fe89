/** What this process takes of its machine since it was asked last. */
import { monitorEventLoopDelay } from 'node:perf_hooks'

export interface ProcessUsage {
  /** Of one processor, 0 to 100 and more. */
  readonly cpuPercent: number
  readonly rssBytes: number
  readonly heapBytes: number
  /** How late timers were, p99, ms. */
  readonly loopP99Ms: number
}

export interface UsageMeter {
  read(): ProcessUsage
  close(): void
}

export function startUsageMeter(): UsageMeter {
  const delay = monitorEventLoopDelay({ resolution: 20 })
  delay.enable()
  let cpu = process.cpuUsage()
  let at = performance.now()
  return {
    read() {
      const now = performance.now()
      const { user, system } = process.cpuUsage(cpu)
      const cpuPercent = (user + system) / 10 / Math.max(1, now - at)
      cpu = process.cpuUsage()
      at = now
      const loopP99Ms = Math.max(0, delay.percentile(99) / 1e6 - 20)
      delay.reset()
      const { rss, heapUsed } = process.memoryUsage()
      return { cpuPercent, rssBytes: rss, heapBytes: heapUsed, loopP99Ms: Number.isFinite(loopP99Ms) ? loopP99Ms : 0 }
    },
    close: () => void delay.disable(),
  }
}
