/**
 * Calls, for whoever watches: `timetick:tso:<operation>`, tracing channels of `node:diagnostics_channel` (`start` and `end` around
 * each call, `error`, and in the end `asyncStart` and `asyncEnd`, also of a call that answers at once). One is a request to the source, for all who wait. When nobody watches, it
 * costs one look.
 */
import { tracingChannel, type TracingChannel } from 'node:diagnostics_channel'

export interface TsoTrace {
  /** Timestamps or ids that are asked for. */
  readonly count?: number
  error?: unknown
}

const channels = new Map<string, TracingChannel<unknown, TsoTrace>>()

function channelOf(operation: string): TracingChannel<unknown, TsoTrace> {
  let channel = channels.get(operation)
  if (channel === undefined) {
    channel = tracingChannel<string, TsoTrace>(`timetick:tso:${operation}`)
    channels.set(operation, channel)
  }
  return channel
}

/** Calls `act`, seen by who wants to see it; what it gives is not told. `describe` is asked only then. */
export function traced<T>(operation: string, describe: () => TsoTrace, act: () => T | Promise<T>): T | Promise<T> {
  const channel = channelOf(operation)
  return channel.start.hasSubscribers ? publish(channel, describe(), act) : act()
}

function publish<T>(channel: TracingChannel<unknown, TsoTrace>, trace: TsoTrace, act: () => T | Promise<T>): T | Promise<T> {
  const failed = (error: unknown): void => {
    trace.error = error
    channel.error.publish(trace)
  }
  const settle = (): void => channel.asyncStart.runStores(trace, () => channel.asyncEnd.publish(trace))
  return channel.start.runStores(trace, () => {
    let answer: T | Promise<T>
    try {
      answer = act()
    } catch (error) {
      failed(error)
      channel.end.publish(trace)
      settle()
      throw error
    }
    channel.end.publish(trace)
    if (!(answer instanceof Promise)) {
      settle()
      return answer
    }
    answer.then(settle, (error: unknown) => {
      failed(error)
      settle()
    })
    return answer
  })
}
