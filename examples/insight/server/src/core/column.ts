/**
 * One member of all rows, laid out for sorting: numbers in one array, texts in another, by the rows' places. A list of 100,000 is
 * sorted by reading two arrays, not 100,000 objects.
 */
import type { Entity, Json, Row } from './model.ts'

/** How a value is ranked. Numbers, and decimal texts with them, come first, then texts by code units; what is missing comes last. */
export interface Ranked {
  /** NaN: not a number. */
  readonly number: number
  /** Undefined: a plain number, or nothing at all. */
  readonly text: string | undefined
}

const NOTHING: Ranked = { number: NaN, text: undefined }
const DIGITS = /^\d{1,20}$/

export function rank(value: Json | undefined): Ranked {
  if (value === undefined || value === null) return NOTHING
  if (typeof value === 'number') return { number: value, text: undefined }
  if (typeof value !== 'string') return { number: NaN, text: JSON.stringify(value) }
  return isDigits(value) ? { number: Number(value), text: value } : { number: NaN, text: value }
}

/** The first digit decides for nearly all names. */
function isDigits(text: string): boolean {
  const first = text.charCodeAt(0)
  return first >= 48 && first <= 57 && DIGITS.test(text)
}

/** A value with the number that its text is told by. */
export interface Placed extends Ranked {
  readonly head: number
}

export class Column {
  readonly #path: readonly string[]
  #numbers: Float64Array
  /** The first characters of each text behind what all have in common, as a number: most texts are told apart by it. NaN: no text. */
  #heads: Float64Array
  #common: string | undefined
  #areHeadsOld = true
  readonly #texts: (string | undefined)[] = []

  constructor(path: string, entities: readonly (Entity | undefined)[]) {
    this.#path = path.split('.')
    this.#numbers = new Float64Array(Math.max(64, entities.length)).fill(NaN)
    this.#heads = new Float64Array(this.#numbers.length).fill(NaN)
    for (const [slot, entity] of entities.entries()) this.set(slot, entity?.row)
  }

  set(slot: number, row: Row | undefined): void {
    if (slot >= this.#numbers.length) {
      this.#numbers = grown(this.#numbers, 2 * slot)
      this.#heads = grown(this.#heads, 2 * slot)
    }
    const { number, text } = row === undefined ? NOTHING : rank(valueAt(row, this.#path))
    this.#numbers[slot] = number
    this.#texts[slot] = text
    const isText = text !== undefined && Number.isNaN(number)
    if (isText && !text.startsWith(this.#common ?? text)) {
      this.#common = commonOf(this.#common ?? text, text)
      this.#areHeadsOld = true
    } else if (isText) this.#common ??= text
    this.#heads[slot] = isText && !this.#areHeadsOld ? this.#headOf(text) : NaN
  }

  textAt(slot: number): string | undefined {
    return this.#texts[slot]
  }

  at(slot: number): Ranked {
    return { number: this.#numbers[slot] ?? NaN, text: this.#texts[slot] }
  }

  /** A value to compare with. */
  place({ number, text }: Ranked): Placed {
    this.prepare()
    return { number, text, head: text === undefined || !Number.isNaN(number) ? NaN : this.#headOf(text) }
  }

  /** Before many comparisons. */
  prepare(): void {
    if (!this.#areHeadsOld) return
    this.#areHeadsOld = false
    for (const [slot, text] of this.#texts.entries()) if (text !== undefined && Number.isNaN(this.#numbers[slot])) this.#heads[slot] = this.#headOf(text)
  }

  /** What is missing is last in both directions. */
  compare(a: number, b: number, sign: number): number {
    const x = this.#numbers[a] as number
    const y = this.#numbers[b] as number
    if (x < y) return -sign
    if (x > y) return sign
    const p = this.#heads[a] as number
    const q = this.#heads[b] as number
    if (p < q) return -sign
    if (p > q) return sign
    return compareRest(x, this.#texts[a], y, this.#texts[b], sign)
  }

  compareTo(a: number, { number, text, head }: Placed, sign: number): number {
    const x = this.#numbers[a] as number
    if (x < number) return -sign
    if (x > number) return sign
    const p = this.#heads[a] as number
    if (p < head) return -sign
    if (p > head) return sign
    return compareRest(x, this.#texts[a], number, text, sign)
  }

  /** Six characters of 8 bits; one that needs more ends it, so that the order of the numbers is never another than that of the texts. */
  #headOf(text: string): number {
    const common = this.#common ?? ''
    if (!text.startsWith(common)) return text < common ? -1 : Infinity
    let head = 0
    let isOpen = true
    for (let i = 0; i < 6; i++) {
      const code: number = isOpen && common.length + i < text.length ? text.charCodeAt(common.length + i) : -1
      head = head * 257 + (code < 0 ? 0 : Math.min(code, 255) + 1)
      isOpen &&= code < 255
    }
    return head
  }
}

function grown(array: Float64Array, length: number): Float64Array<ArrayBuffer> {
  const longer = new Float64Array(length).fill(NaN)
  longer.set(array)
  return longer
}

function commonOf(a: string, b: string): string {
  let length = 0
  while (length < a.length && a.charCodeAt(length) === b.charCodeAt(length)) length++
  return a.slice(0, length)
}

/** Two values whose numbers do not tell them apart. */
function compareRest(x: number, a: string | undefined, y: number, b: string | undefined, sign: number): number {
  if (x === y) return sign * compareDigits(a ?? String(x), b ?? String(y))
  const [left, right] = [classOf(x, a), classOf(y, b)]
  if (left === 1 && right === 1) return sign * compareText(a as string, b as string)
  return left === 2 || right === 2 ? left - right : sign * (left - right)
}

const classOf = (number: number, text: string | undefined): 0 | 1 | 2 => (Number.isNaN(number) ? (text === undefined ? 2 : 1) : 0)

/** Of 64 bit: more digits than a number holds. */
const compareDigits = (a: string, b: string): number => a.length - b.length || compareText(a, b)

export const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** Upwards. */
export function compareJson(a: Json | undefined, b: Json | undefined): number {
  const [x, y] = [rank(a), rank(b)]
  if (x.number < y.number) return -1
  if (x.number > y.number) return 1
  return compareRest(x.number, x.text, y.number, y.text, 1)
}

export function valueAt(row: Row, path: readonly string[]): Json | undefined {
  let value: Json | undefined = row
  for (const part of path) {
    if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, part)) return undefined
    value = (value as Row)[part]
  }
  return value
}
