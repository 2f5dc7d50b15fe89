/** Checks of arguments: `TypeError` and `RangeError` that say what was expected and what came. */

export function describeValue(value: unknown): string {
  if (typeof value === 'string') return `${JSON.stringify(value.length > 64 ? `${value.slice(0, 64)}…` : value)} (string)`
  if (typeof value === 'bigint') return `${value}n`
  if (typeof value === 'function') return 'a function'
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? `an array of ${value.length}` : 'an object'
  return `${String(value)}${typeof value === 'number' ? '' : ` (${typeof value})`}`
}

export function checkInteger(name: string, value: unknown, min: number, max: number): number {
  const expected = `expected \`${name}\` to be an integer in ${min}..${max}, got ${describeValue(value)}`
  if (typeof value !== 'number') throw new TypeError(expected)
  if (!Number.isInteger(value) || value < min || value > max) throw new RangeError(expected)
  return value
}

export function checkDuration(name: string, value: unknown, min = 0): number {
  const expected = `expected \`${name}\` to be ${min}..2147483647 milliseconds, got ${describeValue(value)}`
  if (typeof value !== 'number') throw new TypeError(expected)
  if (!(value >= min && value <= 2 ** 31 - 1)) throw new RangeError(expected)
  return value
}

export function checkName(name: string, value: unknown): string {
  const expected = `expected \`${name}\` to be a well-formed string of 1..256 characters, got ${describeValue(value)}`
  if (typeof value !== 'string') throw new TypeError(expected)
  if (value.length === 0 || value.length > 256 || /\p{Surrogate}/u.test(value)) throw new RangeError(expected)
  return value
}

export function checkNames(name: string, value: unknown): readonly string[] {
  if (!Array.isArray(value)) throw new TypeError(`expected \`${name}\` to be an array of node names, got ${describeValue(value)}`)
  return value.map((item, i) => checkName(`${name}[${i}]`, item))
}

export function checkFunction(name: string, value: unknown): void {
  if (typeof value !== 'function') throw new TypeError(`expected \`${name}\` to be a function, got ${describeValue(value)}`)
}

export function checkSignal(value: unknown): void {
  if (value !== undefined && !(value instanceof AbortSignal))
    throw new TypeError(`expected \`signal\` to be an AbortSignal, got ${describeValue(value)}`)
}

export function checkObject(name: string, value: unknown): void {
  if (typeof value !== 'object' || value === null) throw new TypeError(`expected \`${name}\` to be an object, got ${describeValue(value)}`)
}
