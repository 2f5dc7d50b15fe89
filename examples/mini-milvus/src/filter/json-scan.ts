/**
 * Reads single values out of JSON text without parsing the rest: rows are found by key on their bytes. The text was checked when it
 * was inserted; on malformed text the answer may be wrong, but nothing loops or reads outside `start .. end`.
 */
export type JsonPath = readonly (string | number)[]

const QUOTE = 0x22
const BACKSLASH = 0x5c
const decoder = new TextDecoder()
const encoder = new TextEncoder()

interface Step {
  readonly key: string
  readonly bytes: Uint8Array
  /** The position in an array, or -1. */
  readonly index: number
}

export interface PreparedPath {
  readonly steps: readonly Step[]
}

export function preparePath(path: JsonPath): PreparedPath {
  return {
    steps: path.map((step) => {
      const key = String(step)
      return { key, bytes: encoder.encode(key), index: /^(?:0|[1-9]\d{0,9})$/.test(key) ? Number(key) : -1 }
    }),
  }
}

/** Where the value at `path` begins, or -1. */
export function findJson(data: Uint8Array, start: number, end: number, path: PreparedPath): number {
  let at = skipBlanks(data, start, end)
  for (const step of path.steps) {
    if (data[at] === 0x7b && at < end) at = findMember(data, at + 1, end, step)
    else if (data[at] === 0x5b && at < end && step.index >= 0) at = findElement(data, at, end, step.index)
    else return -1
    if (at < 0) return -1
  }
  return at < end ? at : -1
}

function findMember(data: Uint8Array, from: number, end: number, step: Step): number {
  let at = skipBlanks(data, from, end)
  while (at < end && data[at] === QUOTE) {
    const keyStart = at + 1
    at = skipString(data, at, end)
    const matches = isKey(data, keyStart, at - 1, step)
    at = skipBlanks(data, at, end)
    if (data[at] !== 0x3a || at >= end) return -1
    at = skipBlanks(data, at + 1, end)
    if (matches) return at < end ? at : -1
    at = skipBlanks(data, skipJson(data, at, end), end)
    if (data[at] !== 0x2c) return -1
    at = skipBlanks(data, at + 1, end)
  }
  return -1
}

function isKey(data: Uint8Array, start: number, end: number, step: Step): boolean {
  const { bytes } = step
  if (end - start >= bytes.length && data.subarray(start, end).includes(BACKSLASH)) return jsonText(data, start - 1, end + 1) === step.key
  if (end - start !== bytes.length) return false
  for (let i = 0; i < bytes.length; i++) if (data[start + i] !== bytes[i]) return false
  return true
}

function findElement(data: Uint8Array, from: number, end: number, index: number): number {
  let left = index
  let at = firstElement(data, from, end)
  while (at >= 0 && left > 0) {
    at = nextElement(data, at, end)
    left -= 1
  }
  return at
}

/** Where the first element of the array at `at` begins, or -1. */
export function firstElement(data: Uint8Array, at: number, end: number): number {
  const first = skipBlanks(data, at + 1, end)
  return first >= end || data[first] === 0x5d ? -1 : first
}

/** From the beginning of one element to that of the next, or -1. */
export function nextElement(data: Uint8Array, at: number, end: number): number {
  const comma = skipBlanks(data, skipJson(data, at, end), end)
  if (comma >= end || data[comma] !== 0x2c) return -1
  const next = skipBlanks(data, comma + 1, end)
  return next < end ? next : -1
}

export function isArrayAt(data: Uint8Array, at: number): boolean {
  return data[at] === 0x5b
}

export function isNullAt(data: Uint8Array, at: number): boolean {
  return data[at] === 0x6e
}

/** A scalar; undefined for null, arrays and objects. Integers that a double cannot hold are bigints. */
export function scalarAt(data: Uint8Array, at: number, end: number): boolean | number | bigint | string | undefined {
  switch (data[at]) {
    case QUOTE:
      return jsonText(data, at, skipString(data, at, end))
    case 0x74:
      return true
    case 0x66:
      return false
    case 0x6e:
    case 0x7b:
    case 0x5b:
    case undefined:
      return undefined
    default:
      return numberAt(data, at, end)
  }
}

function numberAt(data: Uint8Array, at: number, end: number): number | bigint | undefined {
  const stop = skipJson(data, at, end)
  let isInteger = true
  let value = 0
  const first = data[at] === 0x2d ? at + 1 : at
  for (let i = first; i < stop; i++) {
    const digit = (data[i] ?? 0) - 0x30
    if (digit < 0 || digit > 9) isInteger = false
    value = value * 10 + digit
  }
  if (isInteger && stop - first <= 15) return first === at ? value : -value
  const text = decoder.decode(data.subarray(at, stop))
  if (isInteger && text.length < 400) return BigInt(text)
  const number = Number(text)
  return Number.isNaN(number) ? undefined : number
}

/** Text of the string whose quotes are at `start` and `end - 1`; '' where its escapes are malformed. */
function jsonText(data: Uint8Array, start: number, end: number): string {
  const raw = decoder.decode(data.subarray(start, end))
  if (!raw.includes('\\')) return raw.slice(1, -1)
  try {
    const value: unknown = JSON.parse(raw)
    return typeof value === 'string' ? value : ''
  } catch {
    return ''
  }
}

/** Whether the string at `at` is `literal`, by its bytes; undefined where escapes call for decoding. */
export function stringEqualsAt(data: Uint8Array, at: number, end: number, literal: Uint8Array): boolean | undefined {
  const stop = skipString(data, at, end) - 1
  let same = stop - at - 1 === literal.length
  for (let i = at + 1, j = 0; i < stop; i++, j++) {
    if (data[i] === BACKSLASH) return undefined
    if (data[i] !== literal[j]) same = false
  }
  return same
}

function skipBlanks(data: Uint8Array, from: number, end: number): number {
  let at = from
  while (at < end && (data[at] === 0x20 || data[at] === 0x0a || data[at] === 0x0d || data[at] === 0x09)) at += 1
  return at
}

/** Behind the string that begins at `at`. */
function skipString(data: Uint8Array, at: number, end: number): number {
  for (let i = at + 1; i < end; i++) {
    if (data[i] === BACKSLASH) i += 1
    else if (data[i] === QUOTE) return i + 1
  }
  return end
}

/** Behind the value that begins at `at`, without recursion. */
function skipJson(data: Uint8Array, at: number, end: number): number {
  let depth = 0
  let i = at
  while (i < end) {
    const byte = data[i]
    if (byte === QUOTE) {
      i = skipString(data, i, end)
      if (depth === 0) return i
      continue
    }
    if (byte === 0x7b || byte === 0x5b) depth += 1
    else if (byte === 0x7d || byte === 0x5d) {
      if (depth === 0) return i
      depth -= 1
      if (depth === 0) return i + 1
    } else if (depth === 0 && (byte === 0x2c || byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09)) {
      return i
    }
    i += 1
  }
  return end
}
