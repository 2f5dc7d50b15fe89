/** Advice for what people commonly write and Milvus's language does not have. */
export function hintAt(text: string, offset: number): string | undefined {
  const before = text.slice(Math.max(0, offset - 32), offset)
  const rest = text.slice(offset, offset + 32)
  const word = /^[A-Za-z_]+/.exec(rest)?.[0] ?? ''
  const lower = word.toLowerCase()
  if (rest.startsWith('=') && /[=]\s*$/.test(before)) return 'did you mean `==`?'
  if (/^=(?![=~])/.test(rest)) return 'did you mean `==`?'
  if (rest.startsWith('>') && before.endsWith('<')) return 'did you mean `!=`?'
  if (lower === 'between') return 'did you mean `low <= field <= high`?'
  if (lower === 'is') return 'did you mean `is null` or `is not null`, with single spaces?'
  if (lower === 'null' || lower === 'none') return 'did you mean `is null`?'
  if (lower === 'not' && /^not\s+like\b/i.test(rest)) return 'did you mean `not (field like pattern)`?'
  if (lower === 'like' && /\bnot\s*$/i.test(before)) return 'did you mean `not (field like pattern)`?'
  if (['and', 'or', 'not', 'in', 'like', 'exists'].includes(lower) && word !== lower && word !== word.toUpperCase()) return `did you mean \`${lower}\`?`
  if (rest.startsWith('"') || rest.startsWith("'")) return 'is a quote missing at the end of the string?'
  if (rest.startsWith('--') || rest.startsWith('/*') || rest.startsWith('#')) return 'filters have no comments'
  if (rest.startsWith('\u201c') || rest.startsWith('\u2018')) return 'use straight quotes'
  return undefined
}
