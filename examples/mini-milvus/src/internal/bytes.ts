/** Little-endian numbers, texts and bytes in one growing buffer, and out of one. */
import { RpcError } from './errors.ts'

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export class ByteWriter {
  #bytes: Uint8Array<ArrayBuffer>
  #view: DataView
  #at = 0

  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(capacity)
    this.#view = new DataView(this.#bytes.buffer)
  }

  get length(): number {
    return this.#at
  }

  u8(value: number): void {
    const at = this.#take(1)
    this.#view.setUint8(at, value)
  }

  u32(value: number): void {
    const at = this.#take(4)
    this.#view.setUint32(at, value, true)
  }

  i32(value: number): void {
    const at = this.#take(4)
    this.#view.setInt32(at, value, true)
  }

  u64(value: bigint): void {
    const at = this.#take(8)
    this.#view.setBigUint64(at, value, true)
  }

  f64(value: number): void {
    const at = this.#take(8)
    this.#view.setFloat64(at, value, true)
  }

  text(value: string): void {
    // UTF-8 takes at most three bytes for a unit of UTF-16.
    const lengthAt = this.#take(4)
    this.#reserve(value.length * 3)
    const { written } = encoder.encodeInto(value, this.#bytes.subarray(this.#at))
    this.#view.setUint32(lengthAt, written, true)
    this.#at += written
  }

  bytes(value: Uint8Array): void {
    this.u32(value.length)
    const at = this.#take(value.length)
    this.#bytes.set(value, at)
  }

  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#at)
  }

  #take(length: number): number {
    this.#reserve(length)
    const at = this.#at
    this.#at += length
    return at
  }

  #reserve(length: number): void {
    const needed = this.#at + length
    if (needed <= this.#bytes.length) return
    const grown = new Uint8Array(Math.max(needed, this.#bytes.length * 2))
    grown.set(this.#bytes.subarray(0, this.#at))
    this.#bytes = grown
    this.#view = new DataView(grown.buffer)
  }
}

/** Throws `RPC_MALFORMED` where bytes end too early. */
export class ByteReader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get left(): number {
    return this.#bytes.length - this.#at
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1))
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true)
  }

  i32(): number {
    return this.#view.getInt32(this.#take(4), true)
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8), true)
  }

  f64(): number {
    return this.#view.getFloat64(this.#take(8), true)
  }

  /** A number of things that take `leastBytes` each, or more. */
  count(leastBytes: number): number {
    const count = this.u32()
    if (count * leastBytes > this.left) throw tooShort()
    return count
  }

  text(): string {
    const bytes = this.bytes()
    try {
      return decoder.decode(bytes)
    } catch (error) {
      throw new RpcError('RPC_MALFORMED', 'the message cannot be read: a text is not UTF-8', { cause: error })
    }
  }

  /** A view. */
  bytes(): Uint8Array {
    const length = this.u32()
    const at = this.#take(length)
    return new Uint8Array(this.#bytes.buffer, this.#bytes.byteOffset + at, length)
  }

  #take(length: number): number {
    const at = this.#at
    if (at + length > this.#bytes.length) throw tooShort()
    this.#at = at + length
    return at
  }
}

function tooShort(): RpcError {
  return new RpcError('RPC_MALFORMED', 'the message cannot be read: it ends too early')
}
