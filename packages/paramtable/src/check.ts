/** Argument checks: what was expected and what came. */
import { ParamError } from './errors.ts'

export const MAX_KEY_LENGTH = 1_024
export const MAX_VALUE_LENGTH = 1 << 20
export const LONE_SURROGATE = /\p{Surrogate}/u

export function show(value: unknown): string {
  if (typeof value === 'string') return `${JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value)} (string)`
  if (value === null || value === undefined) return String(value)
  if (typeof value === 'object') return Array.isArray(value) ? 'an array' : 'an object'
  return `${String(value)} (${typeof value})`
}

/** Keys are case-insensitive: their lower-case form is what counts (Milvus). */
export function normalizeKey(key: unknown, name: string = 'key'): string {
  if (typeof key !== 'string') throw new TypeError(`expected \`${name}\` to be a string, got ${show(key)}`)
  if (key.length === 0 || key.length > MAX_KEY_LENGTH || LONE_SURROGATE.test(key) || hasControl(key)) {
    throw new RangeError(`expected \`${name}\` to be 1 to ${MAX_KEY_LENGTH} characters without control characters, got ${show(key)}`)
  }
  return key.toLowerCase()
}

export function checkValue(value: unknown): asserts value is string {
  if (typeof value !== 'string') throw new TypeError(`expected \`value\` to be a string, got ${show(value)}`)
  if (LONE_SURROGATE.test(value)) throw new RangeError('expected `value` to be a well-formed string, got a lone surrogate')
  checkValueLength(value)
}

export function checkValueLength(value: string): void {
  if (value.length > MAX_VALUE_LENGTH) {
    throw new ParamError('PARAM_TOO_LARGE', `expected at most ${MAX_VALUE_LENGTH} characters, got ${value.length}`, { outcome: 'not-applied' })
  }
}

function hasControl(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (code < 32 || code === 127) return true
  }
  return false
}

/** Order of code points, which is the order of UTF-8 bytes; `<` on strings puts surrogates too low. */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let index = 0; index < length; index++) {
    const x = a.charCodeAt(index)
    const y = b.charCodeAt(index)
    if (x !== y) return weight(x) - weight(y)
  }
  return a.length - b.length
}

function weight(unit: number): number {
  return unit >= 0xe000 ? unit - 0x800 : unit >= 0xd800 ? unit + 0x2000 : unit
}
