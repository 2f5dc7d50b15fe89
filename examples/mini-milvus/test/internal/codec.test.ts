/** Plain data between processes: what goes in comes out, and no bytes do more than fail. */
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { decodePlain, encodePlain } from '../../src/internal/codec.ts'
import { isRpcError } from '../../src/internal/errors.ts'

const leaf = fc.oneof(
  fc.integer(), fc.double(), fc.boolean(), fc.constant(null), fc.string({ unit: 'grapheme' }), fc.uint8Array(), fc.float32Array(), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
  fc.array(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })).map((values) => BigInt64Array.from(values)),
)
const { value: plain } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    leaf,
    fc.array(tie('value'), { maxLength: 5 }),
    fc.array(fc.tuple(fc.oneof(fc.string(), fc.integer()), tie('value')), { maxLength: 5 }).map((pairs) => new Map(pairs)),
    fc.array(fc.tuple(fc.string(), tie('value')), { maxLength: 5 }).map((pairs) => Object.fromEntries(pairs) as unknown),
  ),
}))

describe('the codec of internal calls', () => {
  it('gives back what it was given', () => {
    fc.assert(fc.property(plain, (value) => {
      expect(decodePlain(encodePlain(value))).toEqual(value)
    }), { numRuns: 500 })
  })

  it('keeps a key __proto__ as a key, a minus zero and a view of other bytes', () => {
    const odd = Object.fromEntries([['__proto__', { polluted: 1 }], ['constructor', 2]])
    const read = decodePlain(encodePlain(odd)) as Record<string, unknown>
    expect(Object.keys(read)).toEqual(['__proto__', 'constructor'])
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
    expect(Object.is(decodePlain(encodePlain(-0)), -0)).toBe(true)
    expect(decodePlain(encodePlain(new Float64Array([1, 2, 3, 4]).subarray(1, 3)))).toEqual(new Float64Array([2, 3]))
    expect(decodePlain(encodePlain({ a: undefined, b: 1 }))).toEqual({ b: 1 })
  })

  it('refuses what is not plain', () => {
    class Thing {}
    for (const value of [() => 1, Symbol('a'), new Thing(), new Set([1]), new Date(0), new DataView(new ArrayBuffer(1))]) expect(() => encodePlain({ value })).toThrow(TypeError)
    expect(() => encodePlain(2n ** 64n)).toThrow(RangeError)
    let deep: unknown = 1
    for (let level = 0; level < 100; level++) deep = [deep]
    expect(() => encodePlain(deep)).toThrow(RangeError)
  })

  it('says of any bytes what they are, or that they cannot be read', () => {
    const read = (bytes: Uint8Array): void => {
      try {
        decodePlain(bytes)
      } catch (error) {
        expect(isRpcError(error, 'RPC_MALFORMED')).toBe(true)
      }
    }
    fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), read), { numRuns: 3000 })
    fc.assert(fc.property(plain, fc.nat(), fc.nat(255), (value, at, byte) => {
      const bytes = encodePlain(value).slice()
      bytes[at % bytes.length] = byte
      read(bytes)
      read(bytes.subarray(0, at % bytes.length))
    }), { numRuns: 1000 })
  })

  it('believes no length before the bytes are there', () => {
    for (const tag of [7, 8, 10, 11, 12]) expect(() => decodePlain(Uint8Array.of(tag, 255, 255, 255, 255, 1, 2))).toThrow('cannot be read')
    let nested = Uint8Array.of(1)
    for (let level = 0; level < 1_000; level++) nested = Uint8Array.of(10, 1, 0, 0, 0, ...nested)
    expect(() => decodePlain(nested)).toThrow('too deep')
  })
})
