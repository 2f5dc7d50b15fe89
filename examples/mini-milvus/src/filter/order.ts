export type Value = boolean | bigint | number | string

/** Order of two values of one class (bool, number, string), exact among integers and floats; undefined for two classes. */
export function compareValues(a: Value, b: Value): number | undefined {
  if (typeof a === 'string') return typeof b === 'string' ? compareText(a, b) : undefined
  if (typeof a === 'boolean') return typeof b === 'boolean' ? Number(a) - Number(b) : undefined
  if (typeof b === 'string' || typeof b === 'boolean') return undefined
  // JavaScript compares a bigint with a number by their mathematical values.
  return a < b ? -1 : a > b ? 1 : 0
}

/** As UTF-8 bytes order: by code points, not by UTF-16 units. */
function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i)
    const y = b.charCodeAt(i)
    if (x !== y) {
      const isSurrogate = (unit: number) => unit >= 0xd800 && unit <= 0xdfff
      return isSurrogate(x) === isSurrogate(y) ? x - y : isSurrogate(x) ? 1 : -1
    }
  }
  return a.length - b.length
}

export function classOf(value: Value): 'boolean' | 'number' | 'string' {
  return typeof value === 'boolean' ? 'boolean' : typeof value === 'string' ? 'string' : 'number'
}

/** One form for integers of all widths, so that a Set finds them. */
export function plainValue(value: Value): Value {
  return typeof value === 'bigint' && BigInt(Number(value)) === value ? Number(value) : value
}
