/** Why the stores of a node could not be opened. */
const codes = {
  STORES_INVALID: { retryable: false, summary: 'A parameter of a store does not fit: the message names it.' },
  STORES_DRIVER_MISSING: { retryable: false, summary: 'The package that speaks to this store is not installed.' },
  STORES_UNREACHABLE: { retryable: true, summary: 'A store did not answer, or refused, when the node started.' },
} as const

export type StoresErrorCode = keyof typeof codes

/** A store that could not be opened. */
export class StoresError extends Error {
  override readonly name = 'StoresError'
  readonly code: StoresErrorCode
  readonly retryable: boolean

  constructor(code: StoresErrorCode, message: string, options?: { readonly cause?: unknown }) {
    super(message, options)
    this.code = code
    this.retryable = codes[code].retryable
  }
}
