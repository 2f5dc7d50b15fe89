/** Argument checks: what was expected and what came. */
export function show(value: unknown): string {
  if (typeof value === 'string') return `${JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value)} (string)`
  if (typeof value === 'bigint') return `${value}n (bigint)`
  if (value === null || value === undefined) return String(value)
  if (typeof value === 'object') return Array.isArray(value) ? 'an array' : 'an object'
  return `${String(value)} (${typeof value})`
}

export function checkInteger(name: string, value: unknown, min: number, max: number): asserts value is number {
  if (typeof value !== 'number') throw new TypeError(`expected \`${name}\` to be an integer in ${min}..${max}, got ${show(value)}`)
  if (!Number.isSafeInteger(value) || value < min || value > max) {
    throw new RangeError(`expected \`${name}\` to be an integer in ${min}..${max}, got ${show(value)}`)
  }
}

/** Milliseconds: a number of at least `min`, `Infinity` allowed. */
export function checkMs(name: string, value: unknown, min: number): asserts value is number {
  if (typeof value !== 'number') throw new TypeError(`expected \`${name}\` to be a number of ms of at least ${min}, got ${show(value)}`)
  if (!(value >= min)) throw new RangeError(`expected \`${name}\` to be a number of ms of at least ${min}, got ${show(value)}`)
}

export function checkBigint(name: string, value: unknown, min: bigint, max: bigint): asserts value is bigint {
  if (typeof value !== 'bigint') throw new TypeError(`expected \`${name}\` to be a bigint in ${min}..${max}, got ${show(value)}`)
  if (value < min || value > max) throw new RangeError(`expected \`${name}\` to be a bigint in ${min}..${max}, got ${show(value)}`)
}

export function checkMethods(name: string, value: unknown, methods: readonly string[]): void {
  const holder = value as Record<string, unknown> | null | undefined
  const missing = typeof holder === 'object' && holder !== null ? methods.find((method) => typeof holder[method] !== 'function') : methods[0]
  if (missing !== undefined) throw new TypeError(`expected \`${name}\` to be an object with \`${missing}()\`, got ${show(value)}`)
}

/** The key of a record below `rootPath`; an empty root is allowed. */
export function keyBelow(rootPath: unknown, name: string): string {
  if (typeof rootPath !== 'string') throw new TypeError(`expected \`rootPath\` to be a string, got ${show(rootPath)}`)
  return rootPath === '' ? name : `${rootPath.replace(/\/+$/, '')}/${name}`
}
