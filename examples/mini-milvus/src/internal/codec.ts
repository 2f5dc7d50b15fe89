/**
 * Plain data as bytes, between processes of one cluster: undefined, null, booleans, numbers, bigints of 64 bits, strings, bytes, typed
 * arrays, arrays, Maps and objects, and nothing else. A Map stays a Map, a bigint a bigint, which JSON and the usual binary
 * forms do not keep apart. Nothing that is read is ever run, and no length is believed before the bytes are there.
 */
import { RpcError } from './errors.ts'
import { ByteReader, ByteWriter } from './bytes.ts'

const Tag = { undefined: 0, null: 1, false: 2, true: 3, int: 4, float: 5, bigint: 6, text: 7, bytes: 8, typed: 9, list: 10, map: 11, object: 12 } as const
/** Deeper data is refused. */
const MAX_DEPTH = 64
const MIN_BIGINT = -(2n ** 63n)
const END_BIGINT = 2n ** 64n

type TypedArray = Int8Array | Uint8ClampedArray | Int16Array | Uint16Array | Int32Array | Uint32Array | Float32Array | Float64Array | BigInt64Array | BigUint64Array
const TYPED: readonly { readonly name: string; readonly width: number; readonly make: (buffer: ArrayBuffer) => TypedArray }[] = [
  { name: 'Int8Array', width: 1, make: (buffer) => new Int8Array(buffer) },
  { name: 'Uint8ClampedArray', width: 1, make: (buffer) => new Uint8ClampedArray(buffer) },
  { name: 'Int16Array', width: 2, make: (buffer) => new Int16Array(buffer) },
  { name: 'Uint16Array', width: 2, make: (buffer) => new Uint16Array(buffer) },
  { name: 'Int32Array', width: 4, make: (buffer) => new Int32Array(buffer) },
  { name: 'Uint32Array', width: 4, make: (buffer) => new Uint32Array(buffer) },
  { name: 'Float32Array', width: 4, make: (buffer) => new Float32Array(buffer) },
  { name: 'Float64Array', width: 8, make: (buffer) => new Float64Array(buffer) },
  { name: 'BigInt64Array', width: 8, make: (buffer) => new BigInt64Array(buffer) },
  { name: 'BigUint64Array', width: 8, make: (buffer) => new BigUint64Array(buffer) },
]

/** Throws `TypeError` for what is not plain, `RangeError` for bigints beyond 64 bits and data that is too deep. Properties that are undefined are left out. */
export function encodePlain(value: unknown): Uint8Array {
  const writer = new ByteWriter()
  write(writer, value, 0)
  return writer.finish()
}

/** Bytes in the result are views of `bytes`. Throws `RPC_MALFORMED`. */
export function decodePlain(bytes: Uint8Array): unknown {
  const reader = new ByteReader(bytes)
  const value = read(reader, 0)
  if (reader.left > 0) throw malformed(`${reader.left} bytes are left over`)
  return value
}

function write(writer: ByteWriter, value: unknown, depth: number): void {
  if (depth > MAX_DEPTH) throw new RangeError(`expected data of at most ${MAX_DEPTH} levels`)
  switch (typeof value) {
    case 'undefined':
      return writer.u8(Tag.undefined)
    case 'boolean':
      return writer.u8(value ? Tag.true : Tag.false)
    case 'number':
      if (Number.isInteger(value) && Math.abs(value) < 2 ** 31 && !Object.is(value, -0)) {
        writer.u8(Tag.int)
        return writer.i32(value)
      }
      writer.u8(Tag.float)
      return writer.f64(value)
    case 'bigint':
      return writeBigint(writer, value)
    case 'string':
      writer.u8(Tag.text)
      return writer.text(value)
    case 'object':
      return value === null ? writer.u8(Tag.null) : writeObject(writer, value, depth)
    default:
      throw new TypeError(`expected plain data, got a ${typeof value}`)
  }
}

function writeBigint(writer: ByteWriter, value: bigint): void {
  if (value < MIN_BIGINT || value >= END_BIGINT) throw new RangeError(`expected a bigint of 64 bits, got ${value}`)
  writer.u8(Tag.bigint)
  writer.u8(value < 0n ? 1 : 0)
  writer.u64(BigInt.asUintN(64, value))
}

function writeObject(writer: ByteWriter, value: object, depth: number): void {
  if (value instanceof Uint8Array) {
    writer.u8(Tag.bytes)
    return writer.bytes(value)
  }
  if (ArrayBuffer.isView(value)) {
    const kind = TYPED.findIndex(({ name }) => name === value.constructor.name)
    if (kind === -1) throw new TypeError(`expected plain data, got a ${value.constructor.name}`)
    writer.u8(Tag.typed)
    writer.u8(kind)
    return writer.bytes(new Uint8Array(value.buffer, value.byteOffset, value.byteLength))
  }
  if (Array.isArray(value)) {
    writer.u8(Tag.list)
    writer.u32(value.length)
    for (const item of value as readonly unknown[]) write(writer, item, depth + 1)
    return
  }
  if (value instanceof Map) {
    writer.u8(Tag.map)
    writer.u32(value.size)
    for (const [key, item] of value as Map<unknown, unknown>) {
      write(writer, key, depth + 1)
      write(writer, item, depth + 1)
    }
    return
  }
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) throw new TypeError(`expected plain data, got a ${value.constructor.name}`)
  const entries = Object.entries(value).filter(([, item]) => item !== undefined)
  writer.u8(Tag.object)
  writer.u32(entries.length)
  for (const [key, item] of entries) {
    writer.text(key)
    write(writer, item, depth + 1)
  }
}

function read(reader: ByteReader, depth: number): unknown {
  if (depth > MAX_DEPTH) throw malformed('it is too deep')
  const tag = reader.u8()
  switch (tag) {
    case Tag.undefined:
      return undefined
    case Tag.null:
      return null
    case Tag.false:
      return false
    case Tag.true:
      return true
    case Tag.int:
      return reader.i32()
    case Tag.float:
      return reader.f64()
    case Tag.bigint: {
      const isNegative = reader.u8() === 1
      const bits = reader.u64()
      return isNegative ? BigInt.asIntN(64, bits) : bits
    }
    case Tag.text:
      return reader.text()
    case Tag.bytes:
      return reader.bytes()
    case Tag.typed:
      return readTyped(reader)
    case Tag.list:
      return Array.from({ length: reader.count(1) }, () => read(reader, depth + 1))
    case Tag.map: {
      const map = new Map<unknown, unknown>()
      for (let left = reader.count(2); left > 0; left--) {
        const key = read(reader, depth + 1)
        map.set(key, read(reader, depth + 1))
      }
      return map
    }
    case Tag.object:
      return readObject(reader, depth)
    default:
      throw malformed(`tag ${tag} is unknown`)
  }
}

function readTyped(reader: ByteReader): TypedArray {
  const kind = TYPED[reader.u8()]
  const bytes = reader.bytes()
  if (kind === undefined || bytes.length % kind.width !== 0) throw malformed('a typed array does not fit')
  // A copy: views need their alignment.
  return kind.make(bytes.slice().buffer)
}

/** A key `__proto__` is a key. */
function readObject(reader: ByteReader, depth: number): object {
  const entries: [string, unknown][] = []
  for (let left = reader.count(5); left > 0; left--) {
    const key = reader.text()
    entries.push([key, read(reader, depth + 1)])
  }
  return Object.fromEntries(entries)
}

function malformed(why: string): RpcError {
  return new RpcError('RPC_MALFORMED', `the message cannot be read: ${why}`)
}
