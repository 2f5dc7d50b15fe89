/** Properties in the envelope: u16 count, then u16 length and UTF-8 for each key and value. */
import { show } from './check.ts'
import { MsgStreamError } from './errors.ts'

export type Properties = Readonly<Record<string, string>>

/** The one object that messages without properties share. Without a prototype, so that `__proto__` is a name like any. */
export const emptyProperties: Properties = Object.freeze(Object.create(null) as Record<string, string>)

const noBytes = new Uint8Array(0)
const encoder = new TextEncoder()
const decoder = new TextDecoder()
const encoded = new WeakMap<Properties, Uint8Array>()

/** A frozen copy, checked: strings without lone surrogates, 65,535 bytes in all. */
export function copyProperties(properties: unknown): Properties {
  if (properties === undefined) return emptyProperties
  if (typeof properties !== 'object' || properties === null) throw new TypeError(`expected \`properties\` to be an object of strings, got ${show(properties)}`)
  const copy = Object.create(null) as Record<string, string>
  let count = 0
  for (const [key, value] of Object.entries(properties) as [string, unknown][]) {
    if (typeof value !== 'string') throw new TypeError(`expected \`properties.${key}\` to be a string, got ${show(value)}`)
    if (/\p{Surrogate}/u.test(key) || /\p{Surrogate}/u.test(value)) throw new TypeError(`expected \`properties\` without lone surrogates, got ${show(key)}: ${show(value)}`)
    copy[key] = value
    count++
  }
  if (count === 0) return emptyProperties
  const frozen = Object.freeze(copy)
  encodeProperties(frozen)
  return frozen
}

/** The bytes, kept for as long as the (frozen) object lives: sizes and contents of a batch need them twice. */
export function encodeProperties(properties: Properties): Uint8Array {
  if (properties === emptyProperties) return noBytes
  const known = encoded.get(properties)
  if (known !== undefined) return known
  const texts = Object.entries(properties).flat()
  if (texts.length === 0) return noBytes
  const parts = texts.map((text) => encoder.encode(text))
  const total = parts.reduce((sum, part) => sum + 2 + part.length, 2)
  if (total > 0xffff) throw new RangeError(`expected \`properties\` to take at most 65,535 bytes, got ${total}`)
  const bytes = new Uint8Array(total)
  const view = new DataView(bytes.buffer)
  view.setUint16(0, parts.length / 2, true)
  let at = 2
  for (const part of parts) {
    view.setUint16(at, part.length, true)
    bytes.set(part, at + 2)
    at += 2 + part.length
  }
  if (Object.isFrozen(properties)) encoded.set(properties, bytes)
  return bytes
}

export function decodeProperties(bytes: Uint8Array): Properties {
  if (bytes.length === 0) return emptyProperties
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const properties = Object.create(null) as Record<string, string>
  try {
    let at = 2
    const text = (): string => {
      const length = view.getUint16(at, true)
      if (at + 2 + length > bytes.length) throw new RangeError('beyond the end')
      const value = decoder.decode(bytes.subarray(at + 2, at + 2 + length))
      at += 2 + length
      return value
    }
    for (let left = view.getUint16(0, true); left > 0; left--) {
      const key = text()
      properties[key] = text()
    }
  } catch (cause) {
    throw new MsgStreamError('MSG_CORRUPT', 'bad properties in an envelope', { cause })
  }
  return Object.freeze(properties)
}
