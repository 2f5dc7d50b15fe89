/** Numbers and strings as Milvus's lexer reads them (C's forms). */

const SIMPLE_ESCAPES: Readonly<Record<string, string>> = {
  "'": "'", '"': '"', '?': '?', '\\': '\\', a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v',
}

/** bigint for integers (decimal, 0 octal, 0x, 0b), number for floats; undefined for what is neither (`09`, `0x`, `1a`). */
export function parseNumber(text: string): bigint | number | undefined {
  if (text.length < 16 && isPlainDecimal(text)) return BigInt(Number(text))
  // The quadratic conversion of absurdly long digits is not worth having: they fit no type.
  if (text.length > 1000) return undefined
  const lower = text.toLowerCase()
  if (lower.startsWith('0x')) return parseHex(lower.slice(2))
  if (lower.startsWith('0b')) return /^0b[01]+$/.test(lower) ? BigInt(lower) : undefined
  if (/^\d+$/.test(lower)) return lower === '0' || !lower.startsWith('0') ? BigInt(lower) : parseOctal(lower)
  return /^(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/.test(lower) ? finite(Number(lower)) : undefined
}

function isPlainDecimal(text: string): boolean {
  const first = text.charCodeAt(0)
  if (first < 0x31 || first > 0x39) return false
  for (let i = 1; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code < 0x30 || code > 0x39) return false
  }
  return true
}

function parseOctal(text: string): bigint | undefined {
  return /^[0-7]+$/.test(text) ? BigInt(`0o${text}`) : undefined
}

function parseHex(digits: string): bigint | number | undefined {
  const exponentAt = digits.indexOf('p')
  if (exponentAt < 0) return /^[0-9a-f]+$/.test(digits) ? BigInt(`0x${digits}`) : undefined
  const [whole = '', fraction = '', more] = digits.slice(0, exponentAt).split('.')
  if (more !== undefined || !/^[0-9a-f]+$/.test(whole + fraction) || !/^[+-]?\d+$/.test(digits.slice(exponentAt + 1))) return undefined
  const mantissa = Number(BigInt(`0x${whole}${fraction}`))
  return finite(mantissa * 2 ** (Number(digits.slice(exponentAt + 1)) - 4 * fraction.length))
}

function finite(value: number): number | undefined {
  return Number.isFinite(value) ? value : undefined
}

/** An escape that C does not know keeps its backslash, so that `like "100\%"` reaches the matcher as written. */
export function unescapeString(raw: string): string | undefined {
  if (!raw.includes('\\')) return raw
  const parts: string[] = []
  let from = 0
  for (;;) {
    const at = raw.indexOf('\\', from)
    if (at < 0) break
    parts.push(raw.slice(from, at))
    const escape = readEscape(raw, at + 1)
    if (escape === undefined) return undefined
    parts.push(escape.text)
    from = escape.end
  }
  parts.push(raw.slice(from))
  return parts.join('')
}

function readEscape(raw: string, at: number): { text: string; end: number } | undefined {
  const char = raw.charAt(at)
  if (char === '\n') return { text: '', end: at + 1 }
  if (char === '\r') return { text: '', end: raw.charAt(at + 1) === '\n' ? at + 2 : at + 1 }
  if (char === 'x') return readCode(raw, at + 1, /^[0-9a-fA-F]{1,2}/, 16)
  if (char === 'u') return readCode(raw, at + 1, /^[0-9a-fA-F]{4}/, 16)
  if (char === 'U') return readCode(raw, at + 1, /^[0-9a-fA-F]{8}/, 16)
  if (char >= '0' && char <= '7') return readCode(raw, at, /^[0-7]{1,3}/, 8)
  const simple = SIMPLE_ESCAPES[char]
  return { text: simple ?? `\\${char}`, end: at + 1 }
}

function readCode(raw: string, at: number, pattern: RegExp, radix: number): { text: string; end: number } | undefined {
  const digits = pattern.exec(raw.slice(at, at + 8))?.[0]
  if (digits === undefined) return undefined
  const code = Number.parseInt(digits, radix)
  return code > 0x10ffff ? undefined : { text: String.fromCodePoint(code), end: at + digits.length }
}

export function blanksEnd(text: string, from: number): number {
  let at = from
  for (;;) {
    const code = text.charCodeAt(at)
    if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return at
    at += 1
  }
}

export function wordEnd(text: string, from: number): number {
  let at = from
  while (isWordPart(text.charCodeAt(at))) at += 1
  return at
}

/** The end of what looks like a number, or -1; {@link parseNumber} then says whether it is one. */
export function numberEnd(text: string, from: number): number {
  let at = from
  for (;;) {
    const code = text.charCodeAt(at)
    const signed = (code === 0x2b || code === 0x2d) && at > from && isExponent(text, from, at - 1)
    if (!isWordPart(code) && code !== 0x2e && !signed) break
    at += 1
  }
  return at === from + 1 && text.charCodeAt(from) === 0x2e ? -1 : at
}

function isWordPart(code: number): boolean {
  return (code >= 0x61 && code <= 0x7a) || (code >= 0x30 && code <= 0x39) || (code >= 0x41 && code <= 0x5a) || code === 0x5f
}

/** `e` of a decimal or `p` of a hexadecimal number: a sign may follow. */
function isExponent(text: string, from: number, at: number): boolean {
  const letter = text.charCodeAt(at) | 0x20
  const second = text.charCodeAt(from + 1) | 0x20
  const isHex = text.charCodeAt(from) === 0x30 && second === 0x78
  return letter === (isHex ? 0x70 : 0x65)
}
