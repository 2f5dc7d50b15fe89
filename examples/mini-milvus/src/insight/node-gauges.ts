/** Numbers of the node that only count while they are new. */
import { parseTimestamp } from '@timetick/tso'
import type { Sink } from 'timetick-insight/embed'
import type { TaskQueues } from '../server/task-queue.ts'
import type { CallRate } from './call-board.ts'
import type { LocalSourceOptions } from './local-source.ts'
import type { ProcessUsage } from './usage.edge.ts'

export function tellGauges(sink: Sink, options: LocalSourceOptions, lags: ReadonlyMap<string, ReadonlyMap<string, number>>): void {
  const { core, clock, queues, usage } = options
  const { roles, pchannels, ticks, watchdog } = core
  const now = clock.now()
  for (const channel of pchannels) {
    const ticked = ticks.lastTick(channel)
    if (ticked > 0n) sink.gauge(`timetick.lag{${channel}}`, Math.max(0, now - parseTimestamp(ticked).physicalMs))
    for (const [reader, lagMs] of lags.get(channel) ?? []) sink.gauge(`stream.lag{${channel}/${reader}}`, lagMs)
  }
  tellQueues(sink, queues)
  for (const [id, { silentMs }] of watchdog.states.components) if (silentMs !== undefined) sink.gauge(`heartbeat.age{${id}}`, Math.round(silentMs))
  if (roles.dataNode.status() === 'healthy') sink.gauge('datanode.buffered{bytes}', roles.dataNode.current.bufferedBytes())
  const { rows, bytes, clients } = options.staging.totals()
  sink.gauge('staged{rows}', rows)
  sink.gauge('staged{bytes}', bytes)
  sink.gauge('staged{clients}', clients)
  tellUsage(sink, usage())
}

export function tellQueues(sink: Sink, queues: TaskQueues): void {
  for (const { kind, running, waiting } of Object.values(queues).map(({ state }) => state)) {
    sink.gauge(`queue.running{${kind}}`, running)
    sink.gauge(`queue.waiting{${kind}}`, waiting)
  }
}

export function tellUsage(sink: Sink, { cpuPercent, rssBytes, heapBytes, loopP99Ms }: ProcessUsage): void {
  sink.gauge('node.cpu{percent}', Math.round(cpuPercent * 10) / 10)
  sink.gauge('node.memory{rss}', rssBytes)
  sink.gauge('node.memory{heap}', heapBytes)
  sink.gauge('node.loop{p99 ms}', Math.round(loopP99Ms * 10) / 10)
}

/** Calls a second and how long they take, by method; a method that was quiet falls to zero once. */
export class RateTeller {
  #told = new Set<string>()

  tell(sink: Sink, rates: ReadonlyMap<string, CallRate>, elapsedMs: number): void {
    const seconds = Math.max(0.001, elapsedMs / 1000)
    let all = 0
    let worst = 0
    for (const [method, { calls, errors, p50, p99 }] of rates) {
      all += calls
      worst = Math.max(worst, p99)
      sink.gauge(`rpc.qps{${method}}`, round(calls / seconds))
      sink.gauge(`rpc.errors{${method}}`, round(errors / seconds))
      sink.gauge(`rpc.p50{${method}}`, round(p50))
      sink.gauge(`rpc.p99{${method}}`, round(p99))
    }
    for (const method of this.#told) if (!rates.has(method)) for (const what of ['qps', 'errors']) sink.gauge(`rpc.${what}{${method}}`, 0)
    this.#told = new Set(rates.keys())
    sink.gauge('rpc.qps{all}', round(all / seconds))
    sink.gauge('rpc.p99{all}', round(worst))
  }
}

const round = (value: number): number => Math.round(value * 100) / 100
