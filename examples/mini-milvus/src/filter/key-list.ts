import type { Expr } from './ast.ts'
import type { Builder } from './build.ts'
import { blanksEnd } from './literals.ts'

const HEAD = /^\s*([A-Za-z_][A-Za-z0-9_]*)\s+(?:in|IN)\s*\[/

/**
 * `field in [1, 2, …]` and `field in ["a", …]` as clients write it for get and delete, often with thousands of keys, read
 * without the grammar. Undefined for anything that is not exactly that: the grammar then decides.
 */
export function parseKeyList(text: string, builder: Builder): Expr | undefined {
  const head = HEAD.exec(text)
  const name = head?.[1]
  if (head === null || name === undefined || builder.isKeyword(name)) return undefined
  const items: Expr[] = []
  let at = head[0].length
  for (;;) {
    at = blanksEnd(text, at)
    const code = text.charCodeAt(at)
    const end = code === 0x22 || code === 0x27 ? plainStringEnd(text, at, code) : integerEnd(text, at)
    if (end < 0) return undefined
    const value = code === 0x22 || code === 0x27 ? text.slice(at + 1, end - 1) : integerValue(text.slice(at, end))
    items.push({ kind: 'literal', value, offset: at, depth: 1 })
    at = blanksEnd(text, end)
    const next = text.charCodeAt(at)
    if (next === 0x2c) at += 1
    else if (next === 0x5d) break
    else return undefined
  }
  if (blanksEnd(text, at + 1) !== text.length) return undefined
  const offset = head[0].length - 1
  const left = builder.field(name, [], head[0].indexOf(name))
  return { kind: 'in', negated: false, left, right: builder.list(items, offset), offset, depth: 3 }
}

/** A string without escapes or line ends; the end is after the quote, -1 where it is not so plain. */
function plainStringEnd(text: string, start: number, quote: number): number {
  for (let at = start + 1; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === quote) return at + 1
    if (code === 0x5c || code === 0x0a || code === 0x0d) return -1
  }
  return -1
}

/** A decimal integer of up to 19 digits (whether it fits is asked later), without leading zeros. */
function integerEnd(text: string, start: number): number {
  let at = text.charCodeAt(start) === 0x2d ? start + 1 : start
  const first = at
  for (;;) {
    const code = text.charCodeAt(at)
    if (!(code >= 0x30 && code <= 0x39)) break
    at += 1
  }
  const digits = at - first
  return digits === 0 || digits > 19 || (digits > 1 && text.charCodeAt(first) === 0x30) ? -1 : at
}

function integerValue(text: string): bigint {
  return text.length < 16 ? BigInt(Number(text)) : BigInt(text)
}
