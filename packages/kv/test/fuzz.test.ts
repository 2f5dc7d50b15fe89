/** Bytes of anybody: decoders give a result or a KVError, quickly, and what we wrote comes back. */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Change } from '../src/engine.ts'
import { isKVError } from '../src/index.ts'
import { decodeChanges, decodeCounters, decodeHead, decodeRow, encodeChanges, encodeRow, measureChanges } from '../src/lmdb/format.ts'
import { createMemoryKV } from '../src/memory.ts'
import { entryOf, logPart } from '../src/redis/replies.ts'
import { ring } from './services.edge.ts'

const numRuns = { ci: 20_000, soak: 1_000_000 }[ring] ?? 1000
const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array))
const text = fc.string({ unit: 'grapheme', maxLength: 20 })
const key = text.filter((name) => name !== '')
const value = fc.oneof(text, fc.uint8Array({ maxLength: 40 }))
const revision = fc.bigInt(1n, 2n ** 64n - 1n)

function resultOrKVError(act: () => unknown): void {
  try {
    act()
  } catch (error) {
    if (!isKVError(error)) throw error
  }
}

describe('bytes of anybody', () => {
  it('make no decoder of lmdb fail in another way', () => {
    for (const decode of [decodeRow, decodeHead, decodeCounters, decodeChanges, measureChanges]) {
      fc.assert(fc.property(bytes, (input) => resultOrKVError(() => decode(input))), { numRuns })
    }
  })

  it('make no decoder of Redis fail in another way', () => {
    const reply: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
      reply: fc.oneof({ maxDepth: 3 }, bytes, fc.constantFrom(null, 1, 'text', Buffer.from('12-0'), Buffer.from('E'), Buffer.from('Ckey'), Buffer.from([0, 32, 32]), Buffer.from('12 0 v')), fc.array(tie('reply'), { maxLength: 5 })),
    })).reply
    fc.assert(fc.property(reply, (input) => {
      resultOrKVError(() => entryOf('k', input))
      resultOrKVError(() => logPart(input))
    }), { numRuns })
  })

  it('rows come back as they were written', () => {
    fc.assert(fc.property(value, revision, fc.option(revision, { nil: undefined }), (stored, at, lease) => {
      const row = encodeRow(stored, at, lease)
      const back = decodeRow(row)
      expect(typeof stored === 'string' ? back.value : Buffer.from(back.value)).toEqual(typeof stored === 'string' ? stored : Buffer.from(stored))
      expect([back.revision, decodeHead(row)]).toEqual([at, { revision: at, lease }])
    }), { numRuns: Math.min(numRuns, 5000) })
  })

  it('groups of changes come back, and a cut one is told', () => {
    const change = fc.record({ key, value: fc.option(text, { nil: undefined }), revision: fc.bigInt(1n, 2n ** 62n), created: fc.boolean() })
      .map((made): Change => ({ ...made, created: made.created && made.value !== undefined }))
    fc.assert(fc.property(fc.array(change, { minLength: 1, maxLength: 8 }), fc.nat(), (changes, at) => {
      const log = encodeChanges(changes, changes.map((made) => (made.value === undefined ? undefined : encodeRow(made.value, made.revision, undefined))))
      expect(decodeChanges(log)).toEqual(changes)
      expect(measureChanges(log)).toEqual({ count: changes.length, last: changes.at(-1)?.revision })
      resultOrKVError(() => decodeChanges(log.subarray(0, at % log.length)))
    }), { numRuns: Math.min(numRuns, 5000) })
  })
})

it('arguments of anybody give a result, a TypeError, a RangeError or a KVError', { timeout: 120_000 }, async () => {
  const kv = createMemoryKV()
  const anything = fc.oneof(fc.anything({ withBigInt: true, withDate: true, withMap: true, withNullPrototype: true, withTypedArray: true }), key, fc.constantFrom('__proto__', 'constructor', '\ud800'))
  const methods = ['load', 'loadEntry', 'multiLoad', 'loadWithPrefix', 'has', 'save', 'multiSave', 'remove', 'multiRemove', 'multiSaveAndRemove', 'compareAndSave', 'grantLease'] as const
  await fc.assert(fc.asyncProperty(fc.constantFrom(...methods), fc.array(anything, { maxLength: 4 }), async (name, list) => {
    const method: unknown = kv[name]
    if (typeof method !== 'function') throw new TypeError(name)
    try {
      await Reflect.apply(method, kv, list)
    } catch (error) {
      if (!(error instanceof TypeError || error instanceof RangeError || isKVError(error))) throw error
      // Not one of the runtime's own, which would be a check that is missing.
      expect(String(error)).not.toMatch(/is not a function|of undefined|of null|not iterable|Cannot (read|convert|mix)/)
    }
  }), { numRuns: Math.min(numRuns, 20_000) })
  expect(Object.keys(Object.prototype)).toEqual([])
  await kv.close()
})
