/**
 * JSON whose integers stay exact: those beyond 2^53 come in as `bigint`, and every `bigint` goes out as a plain number.
 * Bodies are checked for depth and breadth before they are parsed.
 */
import { RestError } from './errors.ts'

export interface JsonLimits {
  readonly maxDepth: number
  /** Of one object. */
  readonly maxKeys: number
}

export const defaultJsonLimits: JsonLimits = { maxDepth: 64, maxKeys: 10_000 }

const [QUOTE, BACKSLASH, OPEN, CLOSE, OPEN_LIST, CLOSE_LIST, COLON] = [0x22, 0x5c, 0x7b, 0x7d, 0x5b, 0x5d, 0x3a] as const

/** Throws RestError 1801 for what is too deep, too broad or no JSON object. */
export function parseJsonBody(bytes: Uint8Array, limits: JsonLimits = defaultJsonLimits): Readonly<Record<string, unknown>> {
  checkShape(bytes, limits)
  let value: unknown
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    value = hasLongInteger.test(text) ? parseExactly(text) : JSON.parse(text)
  } catch {
    throw new RestError(1801, 'can only accept json format request, error: the body is not valid JSON')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new RestError(1801, 'can only accept json format request, error: the body is not an object')
  }
  return value as Readonly<Record<string, unknown>>
}

function checkShape(bytes: Uint8Array, { maxDepth, maxKeys }: JsonLimits): void {
  const keys: number[] = []
  let inText = false
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]
    if (inText) {
      if (byte === BACKSLASH) i++
      else if (byte === QUOTE) inText = false
    } else if (byte === QUOTE) inText = true
    else if (byte === OPEN || byte === OPEN_LIST) {
      if (keys.push(0) > maxDepth) throw new RestError(1801, `can only accept json format request, error: nested deeper than ${maxDepth}`)
    } else if (byte === CLOSE || byte === CLOSE_LIST) keys.pop()
    else if (byte === COLON) {
      const count = (keys.at(-1) ?? 0) + 1
      if (count > maxKeys) throw new RestError(1801, `can only accept json format request, error: more than ${maxKeys} keys in one object`)
      keys[keys.length - 1] = count
    }
  }
}

const hasLongInteger = /(?<![.\deE+])\d{16,}(?![.\deE])/
const token = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g
/** Texts that begin like our marks get a mark themselves. */
const NUMBER = '\u0000n'
const TEXT = '\u0000s'

function parseExactly(text: string): unknown {
  const marked = text.replace(token, (part) => {
    if (part.startsWith('"')) return /^"\\u0000/i.test(part) ? `"\\u0000s${part.slice(1)}` : part
    return /^-?\d{16,}$/.test(part) && !/^-?0\d/.test(part) ? `"\\u0000n${part}"` : part
  })
  return JSON.parse(marked, (_key, value: unknown) => {
    if (typeof value !== 'string') return value
    if (value.startsWith(NUMBER)) return exact(value.slice(NUMBER.length))
    return value.startsWith(TEXT) ? value.slice(TEXT.length) : value
  })
}

function exact(digits: string): number | bigint {
  return Number.isSafeInteger(Number(digits)) ? Number(digits) : BigInt(digits)
}

/** As `JSON.stringify`, with bigints as numbers. */
export function stringifyJson(value: unknown): string {
  if (typeof value === 'bigint') return value.toString()
  if (Array.isArray(value)) {
    if (value.every((item) => typeof item === 'number' || typeof item === 'string')) return JSON.stringify(value)
    return `[${value.map((item: unknown) => (item === undefined ? 'null' : stringifyJson(item))).join(',')}]`
  }
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value).filter(([, item]) => item !== undefined)
    return `{${entries.map(([key, item]) => `${JSON.stringify(key)}:${stringifyJson(item)}`).join(',')}}`
  }
  return JSON.stringify(value) ?? 'null'
}
