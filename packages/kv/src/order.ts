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
