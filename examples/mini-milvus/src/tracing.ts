/**
 * What the node tells whoever watches: `timetick:mini-milvus:rpc`, a tracing channel of `node:diagnostics_channel` around each call, and
 * `timetick:mini-milvus:apply`, a channel that hears of each write that a role took from the log. W3C's `traceparent` comes with the call's
 * metadata and travels in the messages of its writes, so that one trace goes from the insert to the query node. When nobody watches, it
 * costs a look.
 */
import { channel, tracingChannel } from 'node:diagnostics_channel'

/** The same object for all events of one call. */
export interface RpcTrace {
  readonly rpc: string
  readonly dbName: string
  /** The caller's. A subscriber of `start` may put its own span here: writes carry what stands here then. */
  traceparent: string | undefined
  error?: unknown
}

export interface ApplyTrace {
  readonly role: 'data-node' | 'query-node'
  readonly kind: 'insert' | 'delete'
  readonly collectionId: bigint
  /** The write's timestamp. */
  readonly ts: bigint
  readonly traceparent?: string | undefined
}

const rpcs = tracingChannel<unknown, RpcTrace>('timetick:mini-milvus:rpc')
const applies = channel('timetick:mini-milvus:apply')
const HEADER = 'traceparent'
const FORM = /^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$/

/** What a client sent, if it is one. */
export function traceparentOf(metadata: ReadonlyMap<string, string>): string | undefined {
  const text = metadata.get(HEADER)
  return text !== undefined && FORM.test(text) ? text : undefined
}

export function isRpcTraced(): boolean {
  return rpcs.start.hasSubscribers
}

/** Runs a call; what it gives is not told. */
export function tracedRpc<T>(trace: RpcTrace, run: () => Promise<T>): Promise<T> {
  return rpcs.start.runStores(trace, async () => {
    try {
      return await run()
    } catch (error) {
      trace.error = error
      rpcs.error.publish(trace)
      throw error
    } finally {
      rpcs.asyncEnd.publish(trace)
    }
  })
}

export function isApplyTraced(): boolean {
  return applies.hasSubscribers
}

export function applied(trace: ApplyTrace): void {
  applies.publish(trace)
}
