/** The head of a `.npy` file: what its bytes are, and where they begin. */
import { ImportError } from './errors.ts'

export interface NpyHeader {
  /** `f4`, `i8`, `u1`, `b1`, `U12`, … without the byte order. */
  readonly type: string
  readonly itemBytes: number
  /** Rows, then their dimensions. */
  readonly shape: readonly number[]
  readonly dataOffset: number
}

/** No header that anybody writes is longer. */
export const MAX_HEADER_BYTES = 65_536
const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59]

/** @param bytes the beginning of a file @throws ImportError for what is none, and for layouts that are not read */
export function parseNpyHeader(bytes: Uint8Array, fileBytes: number): NpyHeader {
  if (bytes.length < 10 || MAGIC.some((byte, at) => bytes[at] !== byte)) throw new ImportError('expected a NumPy file (.npy), got other bytes')
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const major = view.getUint8(6)
  if (major < 1 || major > 3) throw new ImportError(`expected a NumPy file of version 1 to 3, got ${major}`)
  if (major > 1 && bytes.length < 12) throw new ImportError('the file ends in its header')
  const headerBytes = major === 1 ? view.getUint16(8, true) : view.getUint32(8, true)
  const start = major === 1 ? 10 : 12
  if (headerBytes > MAX_HEADER_BYTES || start + headerBytes > bytes.length) throw new ImportError(`the header says that it has ${headerBytes} bytes, more than there are`)
  const text = new TextDecoder('latin1').decode(bytes.subarray(start, start + headerBytes))
  const descr = /['"]descr['"]\s*:\s*['"]([<>|=]?)([a-zA-Z])(\d+)['"]/.exec(text)
  const shape = /['"]shape['"]\s*:\s*\(([\d,\sL]*)\)/.exec(text)
  if (descr === null || shape === null) throw new ImportError(`cannot read the NumPy header ${JSON.stringify(text.trim().slice(0, 100))}`)
  if (/['"]fortran_order['"]\s*:\s*True/.test(text)) throw new ImportError('arrays in Fortran order are not read: save a C-contiguous one')
  if (descr[1] === '>') throw new ImportError('big-endian arrays are not read')
  return checkSize(descr[2] as string, Number(descr[3]), shape[1] as string, start + headerBytes, fileBytes)
}

function checkSize(kind: string, size: number, shapeText: string, dataOffset: number, fileBytes: number): NpyHeader {
  const shape = shapeText
    .split(',')
    .map((part) => part.replace('L', '').trim())
    .filter((part) => part !== '')
    .map(Number)
  const itemBytes = kind === 'U' ? size * 4 : size
  // Held against the file before anything is allocated.
  const expected = shape.reduce((product, length) => product * length, itemBytes)
  if (shape.length === 0 || shape.some((length) => !Number.isSafeInteger(length)) || expected !== fileBytes - dataOffset) {
    throw new ImportError(`the header speaks of ${shape.join(' x ')} items of ${itemBytes} bytes, but ${fileBytes - dataOffset} bytes follow`)
  }
  return { type: `${kind}${size}`, itemBytes, shape, dataOffset }
}
