/** Whether a text is well-known text of a geometry: its form, not whether its rings are closed. */

/** How deep the points lie: in one pair of brackets, in rings, in polygons. */
const DEPTHS: ReadonlyMap<string, number> = new Map([['POINT', 1], ['LINESTRING', 1], ['POLYGON', 2], ['MULTIPOINT', 1], ['MULTILINESTRING', 2], ['MULTIPOLYGON', 3]])
const COLLECTION = 'GEOMETRYCOLLECTION'
const MAX_NESTED = 16
const TOKEN = /\s*([A-Za-z]+|[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[(),])/y

export function isWkt(text: string): boolean {
  const tokens = new Tokens(text.replace(/^\s*SRID=\d+;/i, ''))
  return isGeometry(tokens, 0) && tokens.isEnd
}

class Tokens {
  readonly #text: string
  #at = 0
  /** '' at the end, and at what is no token. */
  next = ''

  constructor(text: string) {
    this.#text = text.trimEnd()
    this.#read()
  }

  get isEnd(): boolean {
    return this.next === '' && this.#at >= this.#text.length
  }

  take(wanted: string): boolean {
    if (this.next.toUpperCase() !== wanted) return false
    this.#read()
    return true
  }

  takeWord(): string {
    const word = /^[A-Za-z]/.test(this.next) ? this.next.toUpperCase() : ''
    if (word !== '') this.#read()
    return word
  }

  takeNumber(): boolean {
    if (!/^[-+.\d]/.test(this.next) || !Number.isFinite(Number(this.next))) return false
    this.#read()
    return true
  }

  #read(): void {
    TOKEN.lastIndex = this.#at
    const match = TOKEN.exec(this.#text)
    this.next = match?.[1] ?? ''
    if (match !== null) this.#at = TOKEN.lastIndex
  }
}

function isGeometry(tokens: Tokens, nested: number): boolean {
  const word = tokens.takeWord()
  // `POINTZ` and `POINT Z` are the same.
  const type = DEPTHS.has(word) || word === COLLECTION ? word : word.replace(/(?:ZM|Z|M)$/, '')
  if (type === word && !tokens.take('ZM') && !tokens.take('Z')) tokens.take('M')
  if (tokens.take('EMPTY')) return DEPTHS.has(type) || type === COLLECTION
  if (type === COLLECTION) return nested < MAX_NESTED && isList(tokens, () => isGeometry(tokens, nested + 1))
  const depth = DEPTHS.get(type)
  if (depth === undefined) return false
  if (type === 'POINT') return tokens.take('(') && isPoint(tokens) && tokens.take(')')
  return isNested(tokens, depth, type === 'MULTIPOINT')
}

function isNested(tokens: Tokens, depth: number, mayBracket: boolean): boolean {
  if (depth > 1) return isList(tokens, () => tokens.take('EMPTY') || isNested(tokens, depth - 1, false))
  return isList(tokens, () => {
    if (!mayBracket) return isPoint(tokens)
    return tokens.take('EMPTY') || (tokens.take('(') ? isPoint(tokens) && tokens.take(')') : isPoint(tokens))
  })
}

function isList(tokens: Tokens, isItem: () => boolean): boolean {
  if (!tokens.take('(')) return false
  do if (!isItem()) return false
  while (tokens.take(','))
  return tokens.take(')')
}

/** Two to four numbers. */
function isPoint(tokens: Tokens): boolean {
  if (!tokens.takeNumber() || !tokens.takeNumber()) return false
  if (tokens.takeNumber()) tokens.takeNumber()
  return true
}
