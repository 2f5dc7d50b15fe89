/** What can be wrong with a segment file. Bad arguments are `TypeError` and `RangeError`. */
const codes = {
  SEGMENT_CORRUPT: { retryable: false, summary: 'The bytes are not those that were written.' },
  SEGMENT_FORMAT: { retryable: false, summary: 'The file is no segment file, or lacks a part of one.' },
  SEGMENT_NEWER: { retryable: false, summary: 'The file was written by a newer release in a format that this one does not know.' },
  SEGMENT_SCHEMA: { retryable: false, summary: 'A column of the file has another type than the field of the collection.' },
} as const

export type SegmentErrorCode = keyof typeof codes
export const SEGMENT_ERROR_CODES: Readonly<Record<SegmentErrorCode, { readonly retryable: boolean; readonly summary: string }>> = codes

export interface SegmentErrorOptions {
  readonly cause?: unknown
  readonly details?: Readonly<Record<string, unknown>> | undefined
}

/** `message` names the file. */
export class SegmentError extends Error {
  override readonly name: string = 'SegmentError'
  readonly code: SegmentErrorCode
  readonly retryable: boolean
  readonly details: Readonly<Record<string, unknown>>

  constructor(code: SegmentErrorCode, message: string, options: SegmentErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.retryable = codes[code].retryable
    this.details = options.details ?? {}
  }
}

/** True for a SegmentError, with this code if one is given. */
export function isSegmentError(error: unknown, code?: SegmentErrorCode): error is SegmentError {
  return error instanceof SegmentError && (code === undefined || error.code === code)
}
