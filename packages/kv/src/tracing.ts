/**
 * Calls, for whoever watches: `timetick:kv:<operation>`, tracing channels of `node:diagnostics_channel` (`start` and `end` around
 * each call, `error`, and in the end `asyncStart` and `asyncEnd`, also of a call that answers at once). Keys and values are not told. When nobody watches, it
 * costs one look.
 */
import { tracingChannel, type TracingChannel } from 'node:diagnostics_channel'

export interface KVTrace {
  readonly backend: string
  readonly isWrite: boolean
  /** How many keys are named. */
  readonly keys: number
  error?: unknown
}

const channels = new Map<string, TracingChannel<unknown, KVTrace>>()

function channelOf(operation: string): TracingChannel<unknown, KVTrace> {
  let channel = channels.get(operation)
  if (channel === undefined) {
    channel = tracingChannel<string, KVTrace>(`timetick:kv:${operation}`)
    channels.set(operation, channel)
  }
  return channel
}

export function isTraced(operation: string): boolean {
  return channelOf(operation).start.hasSubscribers
}

/** Calls `act`, seen by who wants to see it; what it gives is not told. `describe` is asked only then. */
export function traced<T>(operation: string, describe: () => KVTrace, act: () => T | Promise<T>): T | Promise<T> {
  const channel = channelOf(operation)
  return channel.start.hasSubscribers ? publish(channel, describe(), act) : act()
}

function publish<T>(channel: TracingChannel<unknown, KVTrace>, trace: KVTrace, act: () => T | Promise<T>): T | Promise<T> {
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
