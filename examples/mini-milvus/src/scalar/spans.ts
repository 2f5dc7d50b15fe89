/** Parts of a field's values, as a filter names them: closed, disjoint, in no order. */
export interface NumberSpan {
  readonly low: number
  readonly high: number
}

export interface Int64Span {
  readonly low: bigint
  readonly high: bigint
}

/** Texts by their UTF-8 bytes. Undefined: no bound. */
export interface TextSpan {
  readonly low: Uint8Array | undefined
  readonly lowOpen: boolean
  readonly high: Uint8Array | undefined
  readonly highOpen: boolean
}

export type Spans =
  | { readonly of: 'number'; readonly list: readonly NumberSpan[] }
  | { readonly of: 'int64'; readonly list: readonly Int64Span[] }
  | { readonly of: 'text'; readonly list: readonly TextSpan[] }
