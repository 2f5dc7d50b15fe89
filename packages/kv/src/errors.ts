/**
 * Every failure of a store that is not a programming mistake. Bad arguments are `TypeError` and `RangeError`; an abort
 * rejects with `signal.reason`.
 */
const codes = {
  KV_CLOSED: { retryable: false, summary: 'The store was closed.' },
  KV_COMPACTED: { retryable: false, summary: 'The revision asked for is no longer kept: list again, then watch from there.' },
  KV_CORRUPT: { retryable: false, summary: 'Stored bytes are not what this contract wrote.' },
  KV_DRIVER_MISSING: { retryable: false, summary: 'The driver package of this backend is not installed.' },
  KV_LEASE_NOT_FOUND: { retryable: false, summary: 'The lease has ended or never was.' },
  KV_LOCKED: { retryable: false, summary: 'Another process has the store open for writing.' },
  KV_STORAGE_FAILED: { retryable: false, summary: 'A write or sync of the storage failed; only close and open heal it.' },
  KV_TIMEOUT: { retryable: true, summary: 'No answer within the deadline.' },
  KV_TOO_LARGE: { retryable: false, summary: 'More operations or bytes than the backend takes at once.' },
  KV_UNAVAILABLE: { retryable: true, summary: 'The store cannot be reached.' },
  KV_UNSUPPORTED: { retryable: false, summary: 'This backend cannot do that; see `features`.' },
  KV_WATCH_LAGGED: { retryable: true, summary: 'A watch fell too far behind; resume from the last delivered revision + 1.' },
} as const

export type KVErrorCode = keyof typeof codes
export const KV_ERROR_CODES: Readonly<Record<KVErrorCode, { readonly retryable: boolean; readonly summary: string }>> = codes

export interface KVErrorOptions {
  readonly cause?: unknown
  /** For writes: whether the store may have applied it. */
  readonly outcome?: 'not-applied' | 'unknown' | undefined
  readonly retryable?: boolean | undefined
  readonly details?: Readonly<Record<string, unknown>> | undefined
}

/** The one error class of this package. Recognise it with {@link isKVError}, which also knows other copies of the package. */
export class KVError extends Error {
  override readonly name: string = 'KVError'
  readonly code: KVErrorCode
  readonly retryable: boolean
  readonly outcome: 'not-applied' | 'unknown' | undefined
  readonly details: Readonly<Record<string, unknown>>

  constructor(code: KVErrorCode, message: string, options: KVErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.retryable = options.retryable ?? codes[code].retryable
    this.outcome = options.outcome
    this.details = options.details ?? {}
  }

  toJSON(): Record<string, unknown> {
    const { name, code, message, retryable, outcome } = this
    // Revisions are bigints, which JSON does not have.
    const plain = Object.entries(this.details).map(([key, value]) => [key, typeof value === 'bigint' ? String(value) : value])
    return { name, code, message, retryable, outcome, details: Object.fromEntries(plain) }
  }
}

/** True for a KVError of this or any other copy of the package, with this code if one is given. */
export function isKVError(error: unknown, code?: KVErrorCode): error is KVError {
  if (typeof error !== 'object' || error === null) return false
  const { name, code: itsCode } = error as { name?: unknown; code?: unknown }
  return name === 'KVError' && typeof itsCode === 'string' && (code === undefined || itsCode === code)
}
