/**
 * `like`: `%` is any run, `_` any one character (code point), a backslash takes the next character as it is. The pattern is cut at
 * its `%` into pieces; each piece is looked for once, from where the last one ended, so that the time is linear in the text
 * (and in the pattern, 32 characters at a time, for pieces with `_`).
 */
export interface LikeMatcher {
  /** The bytes that every match begins with. */
  readonly prefix: Uint8Array
  /** What follows them in a match: nothing, whatever there is, or more that the pattern asks for. */
  readonly rest: 'none' | 'any' | 'pattern'
  /** Bytes without wildcards, each of which every match has somewhere. */
  readonly literals: readonly Uint8Array[]
  /** On UTF-8 bytes. */
  matches(data: Uint8Array, start: number, end: number): boolean
}

/** Bytes of one piece; ANY stands for `_`. */
type Piece = readonly number[]

const ANY = -1
const encoder = new TextEncoder()

export function createLikeMatcher(pattern: string): LikeMatcher {
  const pieces = cut(pattern)
  const [first = []] = pieces
  const wild = first.indexOf(ANY)
  const prefix = Uint8Array.from(wild < 0 ? first : first.slice(0, wild))
  const literals = pieces.flatMap(literalsOf)
  if (pieces.length === 1) return { prefix, rest: wild < 0 ? 'none' : 'pattern', literals, matches: (data, start, end) => matchAt(first, data, start, end) === end }
  const last = pieces.at(-1) ?? []
  const middle = pieces.slice(1, -1).filter((piece) => piece.length > 0).map(createFinder)
  const endsWith = createSuffixTest(last)
  const isPrefixOnly = wild < 0 && middle.length === 0 && last.length === 0
  return {
    prefix,
    rest: isPrefixOnly ? 'any' : 'pattern',
    literals,
    matches(data, start, end) {
      let at = matchAt(first, data, start, end)
      for (const find of middle) {
        if (at < 0) return false
        at = find(data, at, end)
      }
      return at >= 0 && endsWith(data, at, end)
    },
  }
}

function cut(pattern: string): Piece[] {
  const pieces: number[][] = [[]]
  let escaped = false
  for (const char of pattern) {
    if (!escaped && char === '\\') escaped = true
    else if (!escaped && char === '%') pieces.push([])
    else {
      if (!escaped && char === '_') pieces.at(-1)?.push(ANY)
      else for (const byte of encoder.encode(char)) pieces.at(-1)?.push(byte)
      escaped = false
    }
  }
  if (escaped) pieces.at(-1)?.push(0x5c)
  return pieces
}

function literalsOf(piece: Piece): Uint8Array[] {
  const runs: number[][] = [[]]
  for (const byte of piece) {
    if (byte === ANY) runs.push([])
    else runs.at(-1)?.push(byte)
  }
  return runs.filter(({ length }) => length > 0).map((run) => Uint8Array.from(run))
}

/** Where the code point that begins at `at` ends. */
function nextChar(data: Uint8Array, at: number, end: number): number {
  let next = at + 1
  while (next < end && ((data[next] ?? 0) & 0xc0) === 0x80) next += 1
  return next
}

/** The end of the piece where it stands at `start`, else -1. */
function matchAt(piece: Piece, data: Uint8Array, start: number, end: number): number {
  let at = start
  for (const want of piece) {
    if (at >= end) return -1
    if (want === ANY) at = nextChar(data, at, end)
    else if (data[at] !== want) return -1
    else at += 1
  }
  return at
}

type Finder = (data: Uint8Array, start: number, end: number) => number

/** Finds the end of the piece's first occurrence, or -1. */
function createFinder(piece: Piece): Finder {
  return piece.includes(ANY) ? createWildFinder(piece) : createPlainFinder(piece)
}

/** Knuth, Morris and Pratt: never looks at a byte of the text twice. */
function createPlainFinder(piece: Piece): Finder {
  const wanted = Uint8Array.from(piece)
  const fallback = new Int32Array(wanted.length)
  for (let i = 1, k = 0; i < wanted.length; i++) {
    while (k > 0 && wanted[i] !== wanted[k]) k = fallback[k - 1] ?? 0
    if (wanted[i] === wanted[k]) k += 1
    fallback[i] = k
  }
  return (data, start, end) => {
    let matched = 0
    for (let at = start; at < end; at++) {
      const byte = data[at]
      while (matched > 0 && byte !== wanted[matched]) matched = fallback[matched - 1] ?? 0
      if (byte === wanted[matched]) matched += 1
      if (matched === wanted.length) return at + 1
    }
    return -1
  }
}

/** Shift-and over characters: bit j of the state says that the piece's first j + 1 characters end here. */
function createWildFinder(piece: Piece): Finder {
  const chars = charsOf(piece)
  const words = Math.ceil(chars.length / 32)
  const wild = new Uint32Array(words)
  chars.forEach((char, j) => {
    if (char === ANY) wild[j >>> 5] = (wild[j >>> 5] ?? 0) | (1 << (j & 31))
  })
  const masks = new Map<number, Uint32Array>()
  chars.forEach((char, j) => {
    if (char === ANY) return
    const mask = masks.get(char) ?? wild.slice()
    mask[j >>> 5] = (mask[j >>> 5] ?? 0) | (1 << (j & 31))
    masks.set(char, mask)
  })
  const lastWord = (chars.length - 1) >>> 5
  const lastBit = 1 << ((chars.length - 1) & 31)
  return (data, start, end) => {
    const state = new Uint32Array(words)
    for (let at = start; at < end; ) {
      const next = nextChar(data, at, end)
      const mask = masks.get(pack(data, at, next)) ?? wild
      let carry = 1
      for (let w = 0; w < words; w++) {
        const old = state[w] ?? 0
        state[w] = ((old << 1) | carry) & (mask[w] ?? 0)
        carry = old >>> 31
      }
      if (((state[lastWord] ?? 0) & lastBit) !== 0) return next
      at = next
    }
    return -1
  }
}

/** One number for each character of the piece: its bytes, packed. */
function charsOf(piece: Piece): number[] {
  const chars: number[] = []
  for (let i = 0; i < piece.length; ) {
    if (piece[i] === ANY) {
      chars.push(ANY)
      i += 1
      continue
    }
    let next = i + 1
    while (next < piece.length && ((piece[next] ?? 0) & 0xc0) === 0x80 && piece[next] !== ANY) next += 1
    chars.push(pack(piece, i, next))
    i = next
  }
  return chars
}

function pack(bytes: ArrayLike<number>, start: number, end: number): number {
  let packed = 0
  for (let i = start; i < end; i++) packed = packed * 256 + (bytes[i] ?? 0)
  return packed
}

/** Whether `data[from .. end)` ends with the piece. */
function createSuffixTest(piece: Piece): (data: Uint8Array, from: number, end: number) => boolean {
  return (data, from, end) => {
    let at = end
    for (let i = piece.length - 1; i >= 0; i--) {
      if (at <= from) return false
      at -= 1
      if (piece[i] === ANY) while (at > from && ((data[at] ?? 0) & 0xc0) === 0x80) at -= 1
      else if (data[at] !== piece[i]) return false
    }
    return true
  }
}
