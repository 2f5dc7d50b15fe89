/** Checks of arguments, the same for every backend: wrong kinds are `TypeError`, wrong amounts `RangeError`. */
import { KVError } from './errors.ts'
import type { KVFeatures } from './features.ts'
import type { KVCondition } from './kv.ts'

const encoder = new TextEncoder()

/** A value as text that names what came, short enough for a message. */
export function show(value: unknown): string {
  if (typeof value === 'string') return `${JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)} (string)`
  if (value === null || value === undefined) return String(value)
  if (typeof value === 'object') return Array.isArray(value) ? `an array of ${value.length}` : `an object (${value.constructor?.name ?? 'no prototype'})`
  return typeof value === 'function' ? 'a function' : `${String(value)} (${typeof value})`
}

export function expected(name: string, what: string, got: unknown): TypeError {
  return new TypeError(`expected \`${name}\` to be ${what}, got ${show(got)}`)
}

export function outOfRange(name: string, what: string, got: unknown): RangeError {
  return new RangeError(`expected \`${name}\` to be ${what}, got ${show(got)}`)
}

export function isWellFormed(text: string): boolean {
  return (text as string & { isWellFormed(): boolean }).isWellFormed()
}

export function utf8Length(text: string): number {
  return Buffer.byteLength(text, 'utf8')
}

/** What an argument is called, made only when it is wrong: checks are on the way of every pair. */
export type Name = string | (() => string)

function nameOf(name: Name): string {
  return typeof name === 'string' ? name : name()
}

function checkText(name: Name, text: unknown, features: KVFeatures): asserts text is string {
  if (typeof text !== 'string') throw expected(nameOf(name), 'a string', text)
  // Three bytes a unit at most: only long texts need counting. The length first, so that a huge text is not scanned.
  const limit = features.maxKeyBytes
  if (text.length * 3 > limit && (text.length > limit || utf8Length(text) > limit)) {
    throw outOfRange(nameOf(name), `at most ${limit} UTF-8 bytes`, text)
  }
  if (!isWellFormed(text)) throw expected(nameOf(name), 'well-formed text (no lone surrogate)', text)
}

export function checkKey(key: unknown, features: KVFeatures, name: Name = 'key'): asserts key is string {
  checkText(name, key, features)
  if (key.length === 0) throw outOfRange(nameOf(name), 'a non-empty string', key)
}

export function checkPrefix(prefix: unknown, features: KVFeatures, name = 'prefix'): asserts prefix is string {
  checkText(name, prefix, features)
}

export function checkKeys(keys: unknown, features: KVFeatures): readonly string[] {
  if (!Array.isArray(keys)) throw expected('keys', 'an array of strings', keys)
  const list: readonly unknown[] = keys
  return list.map((key, index) => {
    checkKey(key, features, () => `keys[${index}]`)
    return key
  })
}

export function checkInteger(name: string, value: unknown, least: number, most: number): asserts value is number {
  const what = `an integer in ${least}..${most}`
  if (typeof value !== 'number') throw expected(name, what, value)
  if (!Number.isInteger(value) || value < least || value > most) throw outOfRange(name, what, value)
}

export function checkRevision(name: string, value: unknown): asserts value is bigint {
  if (typeof value !== 'bigint') throw expected(name, 'a bigint', value)
  if (value < 0n) throw outOfRange(name, 'a bigint of at least 0n', value)
}

function tooLarge(what: string, features: KVFeatures, details: Record<string, unknown>): KVError {
  return new KVError('KV_TOO_LARGE', `${what} on backend ${features.backend}`, { outcome: 'not-applied', details })
}

/** Checks a text value. */
export function checkString(value: unknown, features: KVFeatures, name: Name = 'value'): asserts value is string {
  if (typeof value !== 'string') throw expected(nameOf(name), 'a string', value)
  const limit = features.maxValueBytes
  if (value.length * 3 > limit && (value.length > limit || utf8Length(value) > limit)) {
    throw tooLarge(`\`${nameOf(name)}\` has more than ${limit} bytes`, features, { maxValueBytes: limit })
  }
  if (!isWellFormed(value)) throw expected(nameOf(name), 'well-formed text (no lone surrogate)', value)
}

/** Checks bytes and gives a copy, so that later changes of the caller's array do not reach the store. */
export function copyBytes(value: unknown, features: KVFeatures, name: Name = 'value'): Uint8Array {
  if (!(value instanceof Uint8Array)) throw expected(nameOf(name), 'a Uint8Array', value)
  const limit = features.maxValueBytes
  if (value.byteLength > limit) throw tooLarge(`\`${nameOf(name)}\` has more than ${limit} bytes`, features, { maxValueBytes: limit })
  return Uint8Array.prototype.slice.call(new Uint8Array(value.buffer, value.byteOffset, value.byteLength))
}

export function checkOperationCount(count: number, features: KVFeatures): void {
  const limit = features.maxTransactionOps
  if (count > limit) throw tooLarge(`${count} operations are more than the ${limit} of one transaction`, features, { maxTransactionOps: limit })
}

function isPlainObject(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === null || prototype === Object.prototype || Object.getPrototypeOf(prototype) === null
}

/** Visits the pairs of a Map, an array of pairs or a plain object; keys are checked and unique, values not yet looked at. */
export function eachPair(pairs: unknown, features: KVFeatures, visit: (key: string, value: unknown) => void): void {
  const list = rawPairs(pairs)
  let index = 0
  let last = ''
  let seen: Set<unknown> | undefined
  const name = (): string => `pairs[${index}][0]`
  for (; index < list.length; index++) {
    const pair = list[index]
    if (!Array.isArray(pair) || pair.length !== 2) throw expected(`pairs[${index}]`, 'a pair [key, value]', pair)
    const [key, value] = pair as [unknown, unknown]
    checkKey(key, features, name)
    // As long as keys ascend none comes twice: only then the others are looked at.
    if (seen !== undefined || last >= key) {
      seen ??= new Set(list.slice(0, index).map((one) => (one as [unknown, unknown])[0]))
      if (seen.has(key)) throw new TypeError(`expected \`pairs\` to have each key once, got ${show(key)} twice`)
      seen.add(key)
    }
    last = key
    visit(key, value)
  }
}

/** The same as a list. */
export function listPairs(pairs: unknown, features: KVFeatures): [string, unknown][] {
  const list: [string, unknown][] = []
  eachPair(pairs, features, (key, value) => list.push([key, value]))
  return list
}

function rawPairs(pairs: unknown): readonly unknown[] {
  if (Array.isArray(pairs)) return pairs
  if (pairs instanceof Map) return [...pairs]
  if (typeof pairs === 'object' && pairs !== null && isPlainObject(pairs)) return Object.entries(pairs)
  throw expected('pairs', 'a Map, an array of pairs or a plain object', pairs)
}

export function checkConditions(when: unknown, features: KVFeatures): readonly KVCondition[] {
  if (!Array.isArray(when)) throw expected('when', 'an array of conditions', when)
  const list: readonly unknown[] = when
  return list.map((condition, index) => {
    if (typeof condition !== 'object' || condition === null) throw expected(`when[${index}]`, 'a condition', condition)
    const { key, modRevision, exists } = condition as { key?: unknown; modRevision?: unknown; exists?: unknown }
    checkKey(key, features, `when[${index}].key`)
    if (modRevision !== undefined && exists !== undefined) {
      throw new TypeError(`expected \`when[${index}]\` to have either \`modRevision\` or \`exists\`, got both`)
    }
    if (exists === undefined) {
      checkRevision(`when[${index}].modRevision`, modRevision)
      return { key, modRevision }
    }
    if (typeof exists !== 'boolean') throw expected(`when[${index}].exists`, 'a boolean', exists)
    return { key, exists }
  })
}

/** A `rootPath` as the prefix of stored keys: '' or something that ends in '/', so that `/a` does not hold `/ab`. */
export function rootPrefix(rootPath: unknown): string {
  if (rootPath === undefined) return ''
  if (typeof rootPath !== 'string') throw expected('rootPath', 'a string', rootPath)
  if (!isWellFormed(rootPath)) throw expected('rootPath', 'well-formed text (no lone surrogate)', rootPath)
  if (utf8Length(rootPath) > 512) throw outOfRange('rootPath', 'at most 512 UTF-8 bytes', rootPath)
  return rootPath === '' || rootPath.endsWith('/') ? rootPath : `${rootPath}/`
}

export function encodeText(text: string): Uint8Array {
  return encoder.encode(text)
}
