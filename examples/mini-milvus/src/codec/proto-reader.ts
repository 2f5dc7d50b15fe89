/**
 * A reader of protobuf's wire format for hot messages: byte payloads stay views, 64-bit integers are written as two words and never
 * become objects. Malformed bytes throw an Error; nothing is read outside of the message.
 */
export class ProtoReader {
  readonly #bytes: Uint8Array
  readonly #end: number
  #at: number

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.#bytes = bytes
    this.#at = start
    this.#end = end
  }

  get done(): boolean {
    return this.#at >= this.#end
  }

  /** The low 32 bits, unsigned, of a varint: tags, lengths, uint32, int32 (`| 0`), bool. */
  varint(): number {
    let value = 0
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.#at >= this.#end) throw malformed('a number is cut short')
      const byte = this.#bytes[this.#at++] as number
      if (shift < 32) value |= (byte & 0x7f) << shift
      if (byte < 0x80) return value >>> 0
    }
    throw malformed('a number is longer than 10 bytes')
  }

  /** A varint of 64 bits as the words `at` (low) and `at + 1` (high). */
  words(target: Int32Array, at: number): void {
    let low = 0
    let high = 0
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.#at >= this.#end) throw malformed('a number is cut short')
      const byte = this.#bytes[this.#at++] as number
      const bits = byte & 0x7f
      if (shift < 28) low |= bits << shift
      else if (shift === 28) {
        low |= bits << 28
        high |= bits >>> 4
      } else if (shift < 64) high |= bits << (shift - 32)
      if (byte < 0x80) {
        target[at] = low
        target[at + 1] = high
        return
      }
    }
    throw malformed('a number is longer than 10 bytes')
  }

  uint64(): bigint {
    const words = new Int32Array(2)
    this.words(words, 0)
    return (BigInt((words[1] as number) >>> 0) << 32n) | BigInt((words[0] as number) >>> 0)
  }

  /** The next `length` bytes, as a view. */
  fixed(length: number): Uint8Array {
    const start = this.#at
    if (length > this.#end - start) throw malformed('a value is cut short')
    this.#at = start + length
    return this.#bytes.subarray(start, start + length)
  }

  /** A length-delimited value, as a view. */
  bytes(): Uint8Array {
    return this.fixed(this.varint())
  }

  message(): ProtoReader {
    const length = this.varint()
    const start = this.#at
    if (length > this.#end - start) throw malformed('a message is cut short')
    this.#at = start + length
    return new ProtoReader(this.#bytes, start, start + length)
  }

  string(): string {
    try {
      return decoder.decode(this.bytes())
    } catch (error) {
      throw malformed('a string is not UTF-8', error)
    }
  }

  /** Varints left to read, if nothing else follows. */
  countVarints(): number {
    let count = 0
    for (let at = this.#at; at < this.#end; at++) if ((this.#bytes[at] as number) < 0x80) count += 1
    return count
  }

  skip(wireType: number): void {
    switch (wireType) {
      case 0:
        this.varint()
        return
      case 1:
        this.fixed(8)
        return
      case 2:
        this.bytes()
        return
      case 5:
        this.fixed(4)
        return
      default:
        throw malformed(`wire type ${wireType} is not known`)
    }
  }
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export function malformed(reason: string, cause?: unknown): Error {
  return new Error(`malformed message: ${reason}`, cause === undefined ? undefined : { cause })
}

export const VARINT = 0
export const FIXED64 = 1
export const DELIMITED = 2
export const FIXED32 = 5
