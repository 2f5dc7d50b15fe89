/**
 * Every failure of the engine that is not a programming mistake. Bad arguments are `TypeError` and `RangeError`; an abort
 * rejects with `signal.reason`.
 */
const codes = {
  ENGINE_CLOSED: { retryable: false, summary: 'The engine was closed.' },
  ENGINE_INDEX_CORRUPT: { retryable: false, summary: 'An index file is not the one that was built. Build it again.' },
  ENGINE_INDEX_UNAVAILABLE: { retryable: false, summary: 'The native index library cannot be loaded here.' },
  ENGINE_INDEX_FAILED: { retryable: true, summary: 'Building or saving an index failed.' },
  ENGINE_OVERLOADED: { retryable: true, summary: 'Too many searches wait for a worker.' },
  ENGINE_UNKNOWN_SET: { retryable: false, summary: 'No vectors are known under this id.' },
  ENGINE_WORKER_FAILED: { retryable: true, summary: 'A worker thread died with the request; a fresh one has taken its place.' },
} as const

export type EngineErrorCode = keyof typeof codes
export const ENGINE_ERROR_CODES: Readonly<Record<EngineErrorCode, { readonly retryable: boolean; readonly summary: string }>> = codes

export interface EngineErrorOptions {
  readonly cause?: unknown
  readonly details?: Readonly<Record<string, unknown>> | undefined
}

export class EngineError extends Error {
  override readonly name: string = 'EngineError'
  readonly code: EngineErrorCode
  readonly retryable: boolean
  readonly details: Readonly<Record<string, unknown>>

  constructor(code: EngineErrorCode, message: string, options: EngineErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.retryable = codes[code].retryable
    this.details = options.details ?? {}
  }
}

/** True for an EngineError, with this code if one is given. */
export function isEngineError(error: unknown, code?: EngineErrorCode): error is EngineError {
  return error instanceof EngineError && (code === undefined || error.code === code)
}

/** For codes that cross a thread as text. */
export function isEngineErrorCode(code: string): code is EngineErrorCode {
  return Object.hasOwn(codes, code)
}
