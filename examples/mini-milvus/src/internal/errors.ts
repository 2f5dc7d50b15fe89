/** Failures of calls between processes of a cluster. What the called role itself refuses keeps its own form: see `wire-errors.ts`. */
const codes = {
  /** The client or the process is closed, or closing. */
  RPC_CLOSED: { retryable: true },
  /** The other side took part of a duty away, or lost it: it may or may not have been done. */
  RPC_FENCED: { retryable: false },
  RPC_MALFORMED: { retryable: false },
  /** The one that was asked does not lead. */
  RPC_NOT_LEADER: { retryable: true },
  /** The one that was asked does not own the channel. */
  RPC_NOT_OWNER: { retryable: true },
  RPC_OVERLOADED: { retryable: true },
  RPC_TIMEOUT: { retryable: true },
  RPC_TOO_LARGE: { retryable: false },
  RPC_UNAUTHENTICATED: { retryable: false },
  RPC_UNAVAILABLE: { retryable: true },
  RPC_UNKNOWN_METHOD: { retryable: false },
} as const

export type RpcErrorCode = keyof typeof codes

export interface RpcErrorOptions {
  readonly cause?: unknown
  /** Whether what was asked for may have been done. */
  readonly outcome?: 'not-applied' | 'unknown' | undefined
  readonly retryable?: boolean | undefined
  readonly details?: Readonly<Record<string, unknown>> | undefined
}

export class RpcError extends Error {
  override readonly name: string = 'RpcError'
  readonly code: RpcErrorCode
  readonly retryable: boolean
  readonly outcome: 'not-applied' | 'unknown' | undefined
  readonly details: Readonly<Record<string, unknown>>

  constructor(code: RpcErrorCode, message: string, options: RpcErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.retryable = options.retryable ?? codes[code].retryable
    this.outcome = options.outcome
    this.details = options.details ?? {}
  }
}

export function isRpcError(error: unknown, code?: RpcErrorCode): error is RpcError {
  return error instanceof RpcError && (code === undefined || error.code === code)
}

/** It was surely not done, and may be asked for again, perhaps elsewhere. */
export function isSafeToRepeat(error: unknown): boolean {
  if (!(error instanceof Error) || !('retryable' in error) || error.retryable !== true) return false
  return 'outcome' in error && error.outcome === 'not-applied'
}

/** It failed for a moment; it may have been done. */
export function isPassing(error: unknown): boolean {
  return error instanceof Error && 'retryable' in error && error.retryable === true
}

export function isRpcErrorCode(code: unknown): code is RpcErrorCode {
  return typeof code === 'string' && Object.hasOwn(codes, code)
}
