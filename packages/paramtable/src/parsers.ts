/** Strict parsers: text in, value out, or the words for what was expected. No `Number('')` that is 0, no `parseInt('12abc')`. */
import type { ParamDeclaration, ParamType } from './declaration.ts'
import { askSchema } from './standard-schema.ts'

/** What getters give: texts, numbers, booleans, lists of texts, and for `json` anything that JSON can say, frozen. */
export type ParamValue = string | number | boolean | null | readonly ParamValue[] | { readonly [key: string]: ParamValue }

export interface Refused {
  readonly ok: false
  /** In words, without the value. */
  readonly expected: string
  /** Of a schema; may hold the value. */
  readonly detail?: string | undefined
}

/** `output`: what a schema made of the value. */
export type Parsed = { readonly ok: true; readonly value: ParamValue; readonly output?: unknown } | Refused

const TRUE = new Set(['true', 't', '1', 'yes', 'on'])
const FALSE = new Set(['false', 'f', '0', 'no', 'off'])
const DURATION_MS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, min: 60_000, h: 3_600_000, d: 86_400_000 }
const BYTE_POWERS = ['', 'k', 'm', 'g', 't', 'p']

const ok = (value: ParamValue): Parsed => ({ ok: true, value })
const no = (expected: string): Parsed => ({ ok: false, expected })

/** Decimal digits only. A leading zero is refused: YAML 1.1 reads 0777 as 511, YAML 1.2 as 777. */
function parseInteger(text: string): Parsed {
  if (!/^[+-]?(0|[1-9][0-9]*)$/.test(text)) return no('a whole number in decimal digits')
  const value = Number(text)
  return Number.isSafeInteger(value) ? ok(value) : no('a whole number within ±(2^53 - 1)')
}

function parseFloatText(text: string): Parsed {
  if (!/^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?$/i.test(text)) return no('a decimal number')
  const value = Number(text)
  return Number.isFinite(value) ? ok(value) : no('a finite number')
}

function parseBool(text: string): Parsed {
  const lower = text.toLowerCase()
  return TRUE.has(lower) ? ok(true) : FALSE.has(lower) ? ok(false) : no('true or false (also 1/0, t/f, yes/no, on/off)')
}

/** Milliseconds. A bare number is in the declaration's `unit` (default ms). */
function parseDuration(text: string, unit: string): Parsed {
  const match = /^([0-9]+(?:\.[0-9]+)?)\s*(ms|s|m|min|h|d)?$/.exec(text)
  const factor = DURATION_MS[match?.[2] ?? unit]
  if (match?.[1] === undefined || factor === undefined) return no('a duration such as 200, 200ms, 1.5s, 10m, 2h or 1d')
  const value = Math.round(Number(match[1]) * factor * 1e6) / 1e6
  return Number.isFinite(value) ? ok(value) : no('a finite duration')
}

/** Bytes, 1024-based as in Milvus; a bare number is in the declaration's `unit` (default b). */
function parseBytes(text: string, unit: string): Parsed {
  const match = /^([0-9]+(?:\.[0-9]+)?)\s*([kmgtp]?)(i?b)?$/i.exec(text)
  if (match?.[1] === undefined) return no('a size such as 65536, 512b, 64k, 64kb, 1.5GiB')
  const bare = match[2] === '' && match[3] === undefined
  const letter = (bare ? (unit[0] ?? '') : (match[2] ?? '')).toLowerCase()
  const power = letter === 'b' ? 0 : BYTE_POWERS.indexOf(letter)
  const value = Number(match[1]) * 1024 ** Math.max(0, power)
  return Number.isSafeInteger(value) ? ok(value) : no('a whole number of bytes below 2^53')
}

/** Elements between commas, trimmed; or a JSON array, which is how an array with commas in it is stored. */
function parseList(text: string): Parsed {
  if (text.trim() === '') return ok([])
  if (text.startsWith('[')) {
    try {
      const value: unknown = JSON.parse(text)
      if (Array.isArray(value)) return ok(value.map((item) => (typeof item === 'string' ? item : JSON.stringify(item))))
    } catch {
      // Not JSON: a list whose first element starts with a bracket.
    }
  }
  return ok(text.split(',').map((item) => item.trim()))
}

function parseJson(text: string): Parsed {
  try {
    return ok(frozen(JSON.parse(text) as ParamValue))
  } catch {
    return no('JSON')
  }
}

/** In depth: readers share it. */
function frozen(value: ParamValue): ParamValue {
  const open: ParamValue[] = [value]
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (typeof next === 'object' && next !== null) open.push(...Object.values(Object.freeze(next) as object) as ParamValue[])
  }
  return value
}

function parseEnum(text: string, oneOf: readonly string[]): Parsed {
  const found = oneOf.find((item) => item.toLowerCase() === text.toLowerCase())
  return found === undefined ? no(`one of ${oneOf.join(', ')}`) : ok(found)
}

export function parseAs(type: ParamType, text: string, rules: Partial<ParamDeclaration> = {}): Parsed {
  switch (type) {
    case 'string':
      return ok(text)
    case 'int':
      return parseInteger(text)
    case 'float':
      return parseFloatText(text)
    case 'bool':
      return parseBool(text)
    case 'durationMs':
      return parseDuration(text, rules.unit ?? 'ms')
    case 'bytes':
      return parseBytes(text, rules.unit ?? 'b')
    case 'list':
      return parseList(text)
    case 'enum':
      return parseEnum(text, rules.oneOf ?? [])
    case 'json':
      return parseJson(text)
  }
}

/** The text against everything that its declaration says. */
export function parseDeclared(declaration: ParamDeclaration, text: string): Parsed {
  const parsed = parseAs(declaration.type, text, declaration)
  if (!parsed.ok) return parsed
  const { min, max, oneOf } = declaration
  const { value } = parsed
  if (typeof value === 'number' && ((min !== undefined && value < min) || (max !== undefined && value > max))) {
    return no(`${declaration.type} in ${min ?? '-∞'}..${max ?? '∞'}`)
  }
  if (declaration.type !== 'enum' && oneOf !== undefined && !oneOf.includes(text)) return no(`one of ${oneOf.join(', ')}`)
  if (declaration.schema === undefined) return parsed
  const verdict = askSchema(declaration.schema, value)
  return verdict.ok ? { ok: true, value, output: verdict.output } : { ok: false, expected: 'what its schema takes', detail: verdict.detail }
}

/** The detail of a refusal, to be put at the end of a message that may show the value. */
export function because({ detail }: Refused): string {
  return detail === undefined ? '' : `: ${detail}`
}
