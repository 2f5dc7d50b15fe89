/** Rows that do not fit their collection: Milvus's IllegalArgument (1100), with its wording. */
export class CodecError extends Error {
  override readonly name = 'CodecError'
  readonly kind = 'IllegalArgument'
  readonly code = 1100
}
