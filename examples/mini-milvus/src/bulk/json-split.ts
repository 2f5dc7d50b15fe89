/**
 * Finds rows in a stream of JSON without parsing it: the items of `{"rows": [...]}` or of a list, or one object a line (NDJSON).
 * Synchronous; a row is given when its last byte is there.
 */
import { ImportError } from './errors.ts'

const [QUOTE, BACKSLASH, OPEN, CLOSE, OPEN_LIST, CLOSE_LIST, COMMA] = [0x22, 0x5c, 0x7b, 0x7d, 0x5b, 0x5d, 0x2c] as const
const ROWS = /^\{\s*"rows"\s*:\s*\[/
/** Of the beginning, to tell the form by. */
const HEAD_BYTES = 1024

/** Whole rows: `bytes[starts[i] .. ends[i])`. */
export interface RowSpans {
  readonly bytes: Uint8Array
  readonly starts: readonly number[]
  readonly ends: readonly number[]
}

export class JsonRowSplitter {
  readonly #maxRowBytes: number
  #rest: Uint8Array = new Uint8Array(0)
  /** How far `rest` was looked through. */
  #at = 0
  #form: 'unknown' | 'list' | 'rows' | 'lines' | 'closing' | 'done' = 'unknown'
  #depth = 0
  #inText = false
  #rowStart = -1
  /** What stands before the place that is looked at. */
  #before: 'start' | 'row' | 'comma' = 'start'

  constructor(maxRowBytes: number) {
    this.#maxRowBytes = maxRowBytes
  }

  /** Takes more of the stream; gives the rows that it completes. */
  push(chunk: Uint8Array): RowSpans {
    const bytes = this.#rest.length === 0 ? chunk : joined(this.#rest, chunk)
    if (this.#form === 'unknown' && !this.#begin(bytes, false)) {
      this.#rest = bytes
      return { bytes, starts: [], ends: [] }
    }
    const spans = this.#scan(bytes)
    const keepFrom = this.#rowStart >= 0 ? this.#rowStart : this.#at
    if (this.#rowStart >= 0 && bytes.length - this.#rowStart > this.#maxRowBytes) throw new ImportError(`a row has more than ${this.#maxRowBytes} bytes`)
    this.#rest = bytes.subarray(keepFrom)
    this.#at -= keepFrom
    if (this.#rowStart >= 0) this.#rowStart = 0
    return spans
  }

  /** The stream has ended. Throws where it ends inside of something. */
  end(): RowSpans {
    if (this.#form === 'unknown' && !this.#begin(this.#rest, true)) throw new ImportError('the file is empty')
    const spans = this.#scan(this.#rest)
    if (this.#rowStart >= 0 || (this.#form !== 'lines' && this.#form !== 'done')) throw new ImportError('the file ends inside of its JSON')
    return spans
  }

  #begin(bytes: Uint8Array, isEnd: boolean): boolean {
    let at = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0
    while (at < bytes.length && isSpace(bytes[at] as number)) at++
    const first = bytes[at]
    if (first === undefined) return false
    if (first === OPEN_LIST) {
      this.#form = 'list'
      this.#at = at + 1
      return true
    }
    if (first !== OPEN) throw new ImportError(`expected a list or an object of rows, got ${JSON.stringify(String.fromCharCode(first))}`)
    const head = bytes.subarray(at, at + HEAD_BYTES)
    if (head.length < HEAD_BYTES && !isEnd && !head.includes(OPEN_LIST) && !head.includes(CLOSE)) return false
    const match = ROWS.exec(new TextDecoder('latin1').decode(head))
    this.#form = match === null ? 'lines' : 'rows'
    this.#at = match === null ? at : at + match[0].length
    return true
  }

  #scan(bytes: Uint8Array): RowSpans {
    const starts: number[] = []
    const ends: number[] = []
    let at = this.#at
    for (; at < bytes.length; at++) {
      const byte = bytes[at] as number
      if (this.#inText) {
        // A backslash at the very end: the byte behind it belongs to it, and is looked at with it.
        if (byte === BACKSLASH) {
          if (at + 1 >= bytes.length) break
          at++
        } else if (byte === QUOTE) this.#inText = false
      } else if (this.#depth > 0) {
        if (byte === QUOTE) this.#inText = true
        else if (byte === OPEN || byte === OPEN_LIST) this.#depth++
        else if ((byte === CLOSE || byte === CLOSE_LIST) && --this.#depth === 0) {
          starts.push(this.#rowStart)
          ends.push(at + 1)
          this.#rowStart = -1
          this.#before = 'row'
        }
      } else this.#between(byte, at, starts.length)
    }
    this.#at = at
    return { bytes, starts, ends }
  }

  /** Between rows only separators stand. */
  #between(byte: number, at: number, rows: number): void {
    if (isSpace(byte)) return
    const isListed = this.#form === 'list' || this.#form === 'rows'
    if (this.#form === 'done') throw new ImportError('there is more behind the end of the rows')
    if (byte === OPEN && (this.#form === 'lines' || (isListed && this.#before !== 'row'))) {
      this.#rowStart = at
      this.#depth = 1
    } else if (byte === COMMA && isListed && this.#before === 'row') this.#before = 'comma'
    else if (byte === CLOSE_LIST && isListed && this.#before !== 'comma') this.#form = this.#form === 'list' ? 'done' : 'closing'
    else if (byte === CLOSE && this.#form === 'closing') this.#form = 'done'
    else throw new ImportError(`expected a row (a JSON object), got ${JSON.stringify(String.fromCharCode(byte))}, row number: ${rows}`)
  }
}

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const all = new Uint8Array(a.length + b.length)
  all.set(a)
  all.set(b, a.length)
  return all
}
