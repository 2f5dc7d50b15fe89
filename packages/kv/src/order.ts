/** Keys are ordered by their UTF-8 bytes on every backend; JavaScript's own order is by UTF-16 units. */

/** Units from here on are where the two orders part: surrogates (astral characters) and U+E000 to U+FFFF. */
const WIDE = /[\ud800-\uffff]/

/** True when plain `<` may give another order than {@link compareKeys} for this string. */
export function isWide(text: string): boolean {
  return WIDE.test(text)
}

/** Moves the surrogates behind U+E000..U+FFFF, where UTF-8 has them. */
function fixUp(unit: number): number {
  if (unit < 0xd800) return unit
  return unit >= 0xe000 ? unit - 0x800 : unit + 0x2000
}

/** Compares well-formed strings by their UTF-8 bytes without encoding them. */
export function compareKeys(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  for (let index = 0; index < length; index++) {
    const left = a.charCodeAt(index)
    const right = b.charCodeAt(index)
    if (left !== right) return fixUp(left) - fixUp(right)
  }
  return a.length - b.length
}

/** The smallest text behind all that begin with `prefix`, in byte order; `undefined` where nothing is behind them. */
export function endOfPrefix(prefix: string): string | undefined {
  const points = Array.from(prefix, (character) => character.codePointAt(0) ?? 0)
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    if (last === 0x10ffff) continue
    // Behind the last unit below the surrogates comes the first above them.
    return String.fromCodePoint(...points, last === 0xd7ff ? 0xe000 : last + 1)
  }
  return undefined
}
