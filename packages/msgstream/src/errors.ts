/**
 * Every failure of a queue or stream that is not a programming mistake. Bad arguments are `TypeError` and `RangeError`;
 * an abort rejects with `signal.reason`.
 */
const codes = {
  MSG_BUFFER_FULL: { retryable: false, summary: 'One tick interval of a channel holds more than `maxCatchUpBytes`.' },
  MSG_BUSY: { retryable: false, summary: 'Another read of this reader is still waiting.' },
  MSG_CHANNEL_NOT_FOUND: { retryable: false, summary: 'The channel does not exist or was deleted.' },
  MSG_CLOSED: { retryable: false, summary: 'The queue, stream, producer or reader was closed.' },
  MSG_CORRUPT: { retryable: false, summary: 'Stored bytes are not what this package wrote; `details` names the range.' },
  MSG_DECODE_FAILED: { retryable: false, summary: 'A frame could not be decoded and the policy is `fail`.' },
  MSG_DRIVER_MISSING: { retryable: false, summary: 'The driver package of this backend is not installed.' },
  MSG_FENCED: { retryable: false, summary: 'Another process took the folder over while this one stood still; close and open.' },
  MSG_FULL: { retryable: true, summary: 'The channel holds as much as it may; truncate it or read on.' },
  MSG_LATE_DATA: { retryable: false, summary: 'Data came at or below an emitted tick and the policy is `fail`.' },
  MSG_LOCKED: { retryable: false, summary: 'Another process has the queue open for writing.' },
  MSG_NOT_STARTED: { retryable: false, summary: 'The stream was not made a producer or a consumer yet.' },
  MSG_POSITION_AHEAD: { retryable: false, summary: 'The position lies beyond the end of the channel.' },
  MSG_POSITION_EXPIRED: { retryable: false, summary: 'Retention took the frame asked for; see `details.first`.' },
  MSG_PRODUCE_FAILED: { retryable: false, summary: 'Some messages were not acknowledged; `details.channels` tells which.' },
  MSG_PRODUCER_FAILED: { retryable: false, summary: 'An earlier write has an unknown outcome; open a new producer.' },
  MSG_REPACK_INVALID: { retryable: false, summary: 'The repack function gave something that is no distribution of the pack.' },
  MSG_STORAGE_FAILED: { retryable: false, summary: 'A write or sync of the storage failed; only close and open heal it.' },
  MSG_TIMEOUT: { retryable: true, summary: 'No answer within the deadline.' },
  MSG_TIMESTAMP_ORDER: { retryable: true, summary: 'The allocator gave a timestamp that is not above all before it.' },
  MSG_TOO_LARGE: { retryable: false, summary: 'A frame is larger than the backend takes.' },
  MSG_UNAVAILABLE: { retryable: true, summary: 'The queue cannot be reached.' },
  MSG_UNKNOWN_TYPE: { retryable: false, summary: 'No template for this message type and the policy is `fail`.' },
  MSG_UNSUPPORTED: { retryable: false, summary: 'This backend cannot do that; see `features`.' },
  MSG_VERSION: { retryable: false, summary: 'Stored data has a format newer than this release.' },
} as const

export type MsgStreamErrorCode = keyof typeof codes
export const MSG_ERROR_CODES: Readonly<Record<MsgStreamErrorCode, { readonly retryable: boolean; readonly summary: string }>> = codes

export interface MsgStreamErrorOptions {
  readonly cause?: unknown
  /** For writes: whether the queue may have applied it. */
  readonly outcome?: 'not-applied' | 'unknown' | undefined
  readonly retryable?: boolean | undefined
  readonly details?: Readonly<Record<string, unknown>> | undefined
}

/** The one error class of this package. Recognise it with {@link isMsgStreamError}, which also knows other copies of the package. */
export class MsgStreamError extends Error {
  override readonly name: string = 'MsgStreamError'
  readonly code: MsgStreamErrorCode
  readonly retryable: boolean
  readonly outcome: 'not-applied' | 'unknown' | undefined
  readonly details: Readonly<Record<string, unknown>>

  constructor(code: MsgStreamErrorCode, message: string, options: MsgStreamErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.retryable = options.retryable ?? codes[code].retryable
    this.outcome = options.outcome
    this.details = options.details ?? {}
  }

  toJSON(): Record<string, unknown> {
    return { name: this.name, code: this.code, message: this.message, retryable: this.retryable, outcome: this.outcome }
  }
}

/** True for a MsgStreamError of this or any other copy of the package, with this code if one is given. */
export function isMsgStreamError(error: unknown, code?: MsgStreamErrorCode): error is MsgStreamError {
  if (typeof error !== 'object' || error === null) return false
  const { name, code: itsCode } = error as { name?: unknown; code?: unknown }
  return name === 'MsgStreamError' && typeof itsCode === 'string' && (code === undefined || itsCode === code)
}
