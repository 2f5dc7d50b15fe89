/**
 * Calls, for whoever watches: `timetick:msgstream:<operation>`, tracing channels of `node:diagnostics_channel` (`start` and `end` around
 * each call, `error`, and in the end `asyncStart` and `asyncEnd`, also of a call that answers at once). Bodies are not told. When nobody watches, it
 * costs one look.
 */
import { tracingChannel, type TracingChannel } from 'node:diagnostics_channel'

export interface MsgStreamTrace {
  readonly backend: string
  /** Of what is produced. */
  readonly messages?: number
  error?: unknown
}

const channels = new Map<string, TracingChannel<unknown, MsgStreamTrace>>()

function channelOf(operation: string): TracingChannel<unknown, MsgStreamTrace> {
  let channel = channels.get(operation)
  if (channel === undefined) {
    channel = tracingChannel<string, MsgStreamTrace>(`timetick:msgstream:${operation}`)
    channels.set(operation, channel)
  }
  return channel
}

export function isTraced(operation: string): boolean {
  return channelOf(operation).start.hasSubscribers
}

/** Calls `act`, seen by who wants to see it; what it gives is not told. `describe` is asked only then. */
export function traced<T>(operation: string, describe: () => MsgStreamTrace, act: () => T | Promise<T>): T | Promise<T> {
  const channel = channelOf(operation)
  return channel.start.hasSubscribers ? publish(channel, describe(), act) : act()
}

function publish<T>(channel: TracingChannel<unknown, MsgStreamTrace>, trace: MsgStreamTrace, act: () => T | Promise<T>): T | Promise<T> {
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
