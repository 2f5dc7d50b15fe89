/** The two views of a value: text and bytes. */
import { isUtf8 } from 'node:buffer'
import { type Name, checkString, copyBytes, encodeText } from './check.ts'
import type { Stored } from './engine.ts'
import { KVError } from './errors.ts'
import type { KVFeatures } from './features.ts'

export interface ValueCodec<V> {
  /** Checks and takes over a caller's value. */
  write(value: unknown, features: KVFeatures, name?: Name): Stored
  /** Gives a value that the caller may keep and change. */
  read(value: Stored, key: string): V
  /** The same for a page, whose array may be taken over. */
  readAll(values: Stored[], keys: readonly string[]): V[]
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function decode(value: Uint8Array, key: string): string {
  if (value instanceof Buffer && isUtf8(value)) return value.toString('utf8')
  try {
    return strict.decode(value)
  } catch (cause) {
    throw new KVError('KV_CORRUPT', `the value of ${JSON.stringify(key)} is not UTF-8: read it through \`bytes\``, { cause, details: { key } })
  }
}

const isText = (values: Stored[]): values is string[] => values.every((value) => typeof value === 'string')

export const textCodec: ValueCodec<string> = {
  write(value, features, name) {
    checkString(value, features, name)
    return value
  },
  read: (value, key) => (typeof value === 'string' ? value : decode(value, key)),
  readAll: (values, keys) => (isText(values) ? values : values.map((value, index) => textCodec.read(value, keys[index] ?? ''))),
}

export const bytesCodec: ValueCodec<Uint8Array> = {
  write: copyBytes,
  read(value) {
    // Drivers give Buffers, whose `slice` does not copy.
    return typeof value === 'string' ? encodeText(value) : new Uint8Array(value)
  },
  readAll: (values) => values.map((value) => bytesCodec.read(value, '')),
}
