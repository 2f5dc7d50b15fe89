/** Pieces of protobuf messages, to be put together without an object per value. */

/** A length-delimited member: its tag, its length, its parts. */
export function wrap(tag: number, parts: readonly Uint8Array[]): Uint8Array[] {
  return [varints(tag, sizeOf(parts)), ...parts]
}

/** A tag and a number below 2^32, both as varints. */
export function varints(tag: number, value: number): Uint8Array {
  const bytes = new Uint8Array(10)
  return bytes.subarray(0, writeVarint(bytes, writeVarint(bytes, 0, tag), value))
}

export function join(parts: readonly Uint8Array[]): Uint8Array {
  const joined = new Uint8Array(sizeOf(parts))
  let at = 0
  for (const part of parts) {
    joined.set(part, at)
    at += part.length
  }
  return joined
}

/** Chosen 64-bit integers as varints, one after the other. */
export function packLongs(values: BigInt64Array | BigUint64Array, rows: Uint32Array | readonly number[]): Uint8Array {
  const words = new Int32Array(values.buffer, values.byteOffset, values.length * 2)
  const out = new Uint8Array(rows.length * 10)
  let at = 0
  for (let i = 0; i < rows.length; i++) {
    const word = (rows[i] as number) * 2
    let low = (words[word] as number) >>> 0
    let high = (words[word + 1] as number) >>> 0
    while (high !== 0 || low > 0x7f) {
      out[at++] = (low & 0x7f) | 0x80
      low = ((low >>> 7) | (high << 25)) >>> 0
      high >>>= 7
    }
    out[at++] = low
  }
  return out.subarray(0, at)
}

function sizeOf(parts: readonly Uint8Array[]): number {
  let size = 0
  for (const part of parts) size += part.length
  return size
}

function writeVarint(bytes: Uint8Array, start: number, value: number): number {
  let at = start
  let rest = value >>> 0
  while (rest > 0x7f) {
    bytes[at++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  bytes[at++] = rest
  return at
}
