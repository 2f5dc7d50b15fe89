/** Every failure of object storage that is not a programming mistake. Bad arguments are `TypeError` and `RangeError`. */
const codes = {
  STORAGE_CLOSED: { retryable: false, summary: 'The storage was closed.' },
  STORAGE_CORRUPT: { retryable: false, summary: 'An object is shorter than what was asked of it.' },
  STORAGE_DENIED: { retryable: false, summary: 'S3 refused: wrong or missing keys, no right to it, or no such bucket.' },
  STORAGE_DRIVER_MISSING: { retryable: false, summary: 'The package that speaks to this storage is not installed.' },
  STORAGE_FAILED: { retryable: false, summary: 'A sync failed: what was written may be lost. Only close and open heal it.' },
  STORAGE_FULL: { retryable: true, summary: 'No space is left, or a quota is reached. Nothing was stored.' },
  STORAGE_IO: { retryable: true, summary: 'The file system refused or failed a call.' },
  STORAGE_NOT_FOUND: { retryable: false, summary: 'There is no object of this key.' },
  STORAGE_TIMEOUT: { retryable: true, summary: 'S3 gave no answer in time. For writes look at `outcome`.' },
  STORAGE_UNAVAILABLE: { retryable: true, summary: 'S3 cannot be reached, or failed by itself. For writes look at `outcome`.' },
} as const

export type StorageErrorCode = keyof typeof codes
export const STORAGE_ERROR_CODES: Readonly<Record<StorageErrorCode, { readonly retryable: boolean; readonly summary: string }>> = codes

export interface StorageErrorOptions {
  readonly cause?: unknown
  /** For writes: whether the object may be there. */
  readonly outcome?: 'not-applied' | 'unknown' | undefined
  readonly details?: Readonly<Record<string, unknown>> | undefined
}

export class StorageError extends Error {
  override readonly name: string = 'StorageError'
  readonly code: StorageErrorCode
  readonly retryable: boolean
  readonly outcome: 'not-applied' | 'unknown' | undefined
  readonly details: Readonly<Record<string, unknown>>

  constructor(code: StorageErrorCode, message: string, options: StorageErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.retryable = codes[code].retryable
    this.outcome = options.outcome
    this.details = options.details ?? {}
  }
}

/** True for a StorageError, with this code if one is given. */
export function isStorageError(error: unknown, code?: StorageErrorCode): error is StorageError {
  return error instanceof StorageError && (code === undefined || error.code === code)
}
