export type FilterErrorKind = 'syntax' | 'type'

const CONTEXT = 60

/** A filter that cannot be run: its text is malformed (`syntax`) or does not fit the collection (`type`). Milvus's code is 1100. */
export class FilterError extends Error {
  override readonly name = 'FilterError'
  readonly kind: FilterErrorKind
  /** UTF-16 units from the start of the filter text. */
  readonly offset: number
  /** What is wrong, without the quoted text around it. */
  readonly reason: string

  constructor(kind: FilterErrorKind, reason: string, text: string, offset: number, hint?: string) {
    super(render(reason, text, offset, hint))
    this.kind = kind
    this.offset = offset
    this.reason = hint === undefined ? reason : `${reason}; ${hint}`
  }
}

function render(reason: string, text: string, offset: number, hint: string | undefined): string {
  const lineStart = text.lastIndexOf('\n', offset - 1) + 1
  const newline = text.indexOf('\n', offset)
  const lineEnd = newline < 0 ? text.length : newline
  const from = Math.max(lineStart, offset - CONTEXT)
  const to = Math.min(lineEnd, offset + CONTEXT)
  const before = from > lineStart ? '…' : ''
  const after = to < lineEnd ? '…' : ''
  const line = before + text.slice(from, to).replace(/[\t\r]/g, ' ') + after
  const caret = ' '.repeat(before.length + offset - from) + '^'
  return `${reason}, at column ${offset - lineStart + 1}\n  ${line}\n  ${caret}${hint === undefined ? '' : ` ${hint}`}`
}
