/**
 * What failures of the node's parts mean to a client: whether to try again, and what somebody must do. They are known by the
 * form of their codes, so that no part need know of another.
 */
export interface Refusal {
  readonly code: 1 | 9
  readonly reason: string
}

const OURS = /^(KV|MSG|TSO|STORAGE|ENGINE|SEGMENT|FLOW|RPC|WATCHDOG)_[A-Z_]+$/
const FULL = new Set(['MSG_FULL', 'STORAGE_FULL', 'KV_FULL'])
/** The part takes nothing any more until the node is started anew, or is on its way out. */
const DOWN = new Set(['MSG_STORAGE_FAILED', 'MSG_PRODUCER_FAILED', 'MSG_CLOSED', 'KV_STORAGE_FAILED', 'KV_CLOSED', 'STORAGE_FAILED', 'STORAGE_CLOSED', 'ENGINE_CLOSED', 'TSO_CLOSED', 'TSO_FENCED'])

/** Undefined for what is no failure of a part, and for damage and defects: those are nobody's to try again. */
export function refusalOf(error: Error): Refusal | undefined {
  const { code } = error as { code?: unknown }
  if (typeof code !== 'string' || !OURS.test(code)) return undefined
  // A produce over several channels names the first failure as its cause.
  if (code === 'MSG_PRODUCE_FAILED' && error.cause instanceof Error) {
    const inner = refusalOf(error.cause)
    if (inner !== undefined) return inner
  }
  if (FULL.has(code)) return { code: 9, reason: `quota exceeded: no space is left, retry when there is: ${error.message}` }
  if (DOWN.has(code)) return { code: 1, reason: `service not ready: writes are refused, reads go on: ${error.message}` }
  // Of a write that may have been done nobody says that it is to be sent again.
  if ('outcome' in error && error.outcome === 'unknown') return { code: 1, reason: `service not ready, it is not known whether this was done: ${error.message}` }
  if ('retryable' in error && error.retryable === true) return { code: 1, reason: `service not ready, retry later: ${error.message}` }
  return undefined
}
