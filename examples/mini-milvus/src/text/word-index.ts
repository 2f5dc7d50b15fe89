/**
 * The words of a column's rows, kept from one filter to the next: reading a row's words takes a hundredth of finding them. It is made
 * for columns that are asked twice (those of growing rows are new objects each time, and never are), and holds four bytes a word.
 */
import { isNull, type StringColumn, textAt } from '../model/column.ts'
import type { Analyzer } from './token.ts'

/** Columns with more different words than this are read anew each time: their words would take far more room than their texts. */
const MAX_WORDS = 200_000

export class WordIndex {
  readonly #numbers = new Map<string, number>()
  readonly #starts: Uint32Array
  #words = new Uint32Array(1024)
  #known = 0

  constructor(rows: number) {
    this.#starts = new Uint32Array(rows + 1)
  }

  /** Whether the rows below are known. */
  has(end: number): boolean {
    return end <= this.#known
  }

  /** Takes in the rows [begin, end), if they are the next ones. */
  extend(column: StringColumn, analyzer: Analyzer, begin: number, end: number): void {
    if (begin !== this.#known || this.#numbers.size > MAX_WORDS) return
    for (let row = begin; row < end; row++) {
      const texts = new Set<string>()
      if (!isNull(column, row)) for (const { text } of analyzer.analyze(textAt(column, row))) texts.add(text)
      let at = this.#starts[row] as number
      if (at + texts.size > this.#words.length) this.#grow(at + texts.size)
      for (const text of texts) this.#words[at++] = this.#numberOf(text)
      this.#starts[row + 1] = at
    }
    this.#known = end
  }

  /** For each row: whether it has at least `minimum` of the words. */
  search(words: ReadonlySet<string>, minimum: number): (row: number) => boolean {
    const wanted = new Set<number>()
    for (const word of words) {
      const number = this.#numbers.get(word)
      if (number !== undefined) wanted.add(number)
    }
    if (wanted.size < minimum) return () => false
    return (row) => {
      const end = this.#starts[row + 1] as number
      let found = 0
      for (let at = this.#starts[row] as number; at < end; at++) if (wanted.has(this.#words[at] as number) && ++found >= minimum) return true
      return false
    }
  }

  #numberOf(text: string): number {
    let number = this.#numbers.get(text)
    if (number === undefined) this.#numbers.set(text, (number = this.#numbers.size))
    return number
  }

  #grow(least: number): void {
    const larger = new Uint32Array(Math.max(least, this.#words.length * 2))
    larger.set(this.#words)
    this.#words = larger
  }
}

const indexes = new WeakMap<StringColumn, Map<Analyzer, WordIndex> | 'seen'>()

/** The words of a column, or undefined when it is asked for the first time. */
export function wordIndexOf(column: StringColumn, analyzer: Analyzer): WordIndex | undefined {
  let known = indexes.get(column)
  if (known === undefined) {
    indexes.set(column, 'seen')
    return undefined
  }
  if (known === 'seen') indexes.set(column, (known = new Map<Analyzer, WordIndex>()))
  let index = known.get(analyzer)
  if (index === undefined) {
    // A field that was given another analyzer forgets what the old one found.
    known.clear()
    known.set(analyzer, (index = new WordIndex(column.length)))
  }
  return index
}
