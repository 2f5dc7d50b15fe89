/** The two views of a value: text and bytes. */
import { checkString, copyBytes, encodeText } from './check.ts'
import type { Stored } from './engine.ts'
import { KVError } from './errors.ts'
import type { KVFeatures } from './features.ts'

export interface ValueCodec<V> {
  /** Checks and takes over a caller's value. */
  write(value: unknown, features: KVFeatures, name?: string): Stored
  /** Gives a value that the caller may keep and change. */
  read(value: Stored, key: string): V
}

const strict = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export const textCodec: ValueCodec<string> = {
  write(value, features, name) {
    checkString(value, features, name)
    return value
  },
  read(value, key) {
    if (typeof value === 'string') return value
    try {
      return strict.decode(value)
    } catch (cause) {
      throw new KVError('KV_CORRUPT', `the value of ${JSON.stringify(key)} is not UTF-8: read it through \`bytes\``, { cause, details: { key } })
    }
  },
}

export const bytesCodec: ValueCodec<Uint8Array> = {
  write: copyBytes,
  read(value) {
    // Drivers give Buffers, whose `slice` does not copy.
    return typeof value === 'string' ? encodeText(value) : new Uint8Array(value)
  },
}
