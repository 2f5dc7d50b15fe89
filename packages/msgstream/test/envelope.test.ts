import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  compareMessageIds, comparePositions, createTsMsg, decodeEnvelope, defaultRepack, encodeEnvelope, encodeEnvelopes, isMsgStreamError, MsgStreamError,
  MsgType, positionFromBytes, positionFromJson, positionToBytes, positionToJson, UnmarshalDispatcher, type MsgPosition, type TsMsg,
} from '../src/index.ts'
import { OffsetId, offsetOf } from '../src/offset-id.ts'
import { repack } from '../src/repack.ts'

const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
const msgArb = fc.record({
  type: fc.integer({ min: 0, max: 0xffff }),
  times: fc.tuple(u64, u64),
  id: u64,
  hashKeys: fc.array(fc.integer({ min: 0, max: 0xffff_ffff }), { maxLength: 10 }),
  properties: fc.dictionary(fc.string({ unit: 'grapheme', maxLength: 10 }), fc.string({ unit: 'grapheme', maxLength: 20 }), { maxKeys: 4 }),
  body: fc.uint8Array({ maxLength: 300 }),
})

const make = ({ times, ...rest }: { type: number; times: [bigint, bigint]; id: bigint; hashKeys: number[]; properties: Record<string, string>; body: Uint8Array }): TsMsg => {
  const [a, b] = times
  return createTsMsg({ ...rest, beginTs: a < b ? a : b, endTs: a < b ? b : a })
}
const plain = ({ type, beginTs, endTs, id, hashKeys, properties, body }: TsMsg) => ({ type, beginTs, endTs, id, hashKeys: [...hashKeys], properties: { ...properties }, body: [...body] })

describe('envelope', () => {
  it('round trip, alone and in a batch, with and without checksum', () => {
    fc.assert(
      fc.property(fc.array(msgArb, { minLength: 1, maxLength: 5 }), fc.boolean(), (inits, checksum) => {
        const msgs = inits.map(make)
        const frames = encodeEnvelopes(msgs, { checksum })
        expect(frames.map((frame) => plain(decodeEnvelope(frame)))).toEqual(msgs.map(plain))
        // A copy at another place reads the same: views do not depend on alignment.
        const first = frames[0] as Uint8Array
        const moved = new Uint8Array(first.length + 3)
        moved.set(first, 3)
        expect(plain(decodeEnvelope(moved.subarray(3)))).toEqual(plain(msgs[0] as TsMsg))
      }),
      { numRuns: 300 },
    )
  })

  it('any bytes give a message or a typed error', () => {
    const frame = encodeEnvelope(createTsMsg({ type: 400, hashKeys: [1], properties: { a: 'b' }, body: new Uint8Array(20) }))
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(frame.length - 1), fc.nat(255)), { maxLength: 4 }), fc.nat(frame.length), (edits, size) => {
        const damaged = Uint8Array.from(frame)
        for (const [at, value] of edits) damaged[at] = value
        try {
          const msg = decodeEnvelope(damaged.subarray(0, size))
          void [msg.body, msg.hashKeys, msg.properties]
        } catch (error) {
          expect(isMsgStreamError(error, 'MSG_CORRUPT') || isMsgStreamError(error, 'MSG_VERSION')).toBe(true)
        }
      }),
      { numRuns: 2000 },
    )
  })

  it('with a checksum every flipped bit is seen', () => {
    const frame = encodeEnvelope(createTsMsg({ type: 400, id: 7n, hashKeys: [1, 2], properties: { k: 'v' }, body: Uint8Array.of(1, 2, 3) }), { checksum: true })
    for (let bit = 0; bit < frame.length * 8; bit++) {
      if (bit === 40) continue // the flag that says whether there is a checksum
      const damaged = Uint8Array.from(frame)
      damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7))
      expect(() => decodeEnvelope(damaged), `bit ${bit}`).toThrow(MsgStreamError)
    }
  })

  it('names like __proto__ are ordinary properties', () => {
    const properties = JSON.parse('{"__proto__":"x","constructor":"y"}') as Record<string, string>
    const { properties: got } = decodeEnvelope(encodeEnvelope(createTsMsg({ type: 1, properties })))
    expect(Object.entries(got)).toEqual([['__proto__', 'x'], ['constructor', 'y']])
    expect(({} as Record<string, unknown>)['x']).toBeUndefined()
  })

  it.each([
    { type: -1 }, { type: 65_536 }, { type: 1.5 }, { type: 1, ts: -1n }, { type: 1, ts: 2n ** 64n }, { type: 1, ts: 5 }, { type: 1, beginTs: 2n, endTs: 1n },
    { type: 1, id: 5 }, { type: 1, hashKeys: [-1] }, { type: 1, hashKeys: [2 ** 32] }, { type: 1, hashKeys: 'a' }, { type: 1, body: 'text' },
    { type: 1, properties: { a: 1 } }, { type: 1, properties: { '\ud800': 'a' } }, { type: 1, properties: { a: 'x'.repeat(70_000) } }, undefined, null,
  ])('refuses %o', (init) => {
    let error: unknown
    try {
      createTsMsg(init as never)
    } catch (it) {
      error = it
    }
    expect(error instanceof TypeError || error instanceof RangeError).toBe(true)
    expect((error as Error).message).toMatch(/^expected `.*got /)
  })
})

describe('dispatcher', () => {
  const frame = (type: number): Uint8Array => encodeEnvelope(createTsMsg({ type, body: Uint8Array.of(9) }))

  it('decodes by template, gives unknown types raw, counts', () => {
    const dispatcher = new UnmarshalDispatcher().addMsgTemplate(MsgType.insert, (raw) => createTsMsg({ type: raw.type, id: 77n }))
    expect(dispatcher.unmarshal(frame(400))?.id).toBe(77n)
    expect([...(dispatcher.unmarshal(frame(999))?.body ?? [])]).toEqual([9])
    expect(dispatcher.counters).toEqual({ decoded: 1, unknown: 1, failed: 0, skipped: 0 })
  })

  it('policies', () => {
    const broken = () => { throw new Error('no') }
    const skip = new UnmarshalDispatcher({ unknownType: 'skip', decodeError: 'skip' }).addMsgTemplate(400, broken)
    expect([skip.unmarshal(frame(1)), skip.unmarshal(frame(400)), skip.unmarshal(new Uint8Array(3))]).toEqual([undefined, undefined, undefined])
    expect(skip.counters).toEqual({ decoded: 0, unknown: 1, failed: 2, skipped: 3 })
    const fail = new UnmarshalDispatcher({ unknownType: 'fail' }).addMsgTemplate(400, broken)
    expect(() => fail.unmarshal(frame(1))).toThrow(expect.objectContaining({ code: 'MSG_UNKNOWN_TYPE' }))
    expect(() => fail.unmarshal(frame(400))).toThrow(expect.objectContaining({ code: 'MSG_DECODE_FAILED' }))
    const raw = new UnmarshalDispatcher({ decodeError: 'raw' }).addMsgTemplate(400, broken)
    expect(raw.unmarshal(frame(400))?.type).toBe(400)
    expect(() => raw.unmarshal(new Uint8Array(3))).toThrow(expect.objectContaining({ code: 'MSG_DECODE_FAILED' }))
    expect(() => raw.unmarshal('text' as never)).toThrow(TypeError)
  })
})

describe('repack', () => {
  const msgs = [1, 2, 3, 4].map((key) => createTsMsg({ type: 400, id: BigInt(key), hashKeys: [key, 99] }))

  it('default: first key modulo channels, keys above 2 ** 31 too', () => {
    expect([...repack(defaultRepack, msgs, 2)].map(([bucket, list]) => [bucket, list.map(({ id }) => id)])).toEqual([[1, [1n, 3n]], [0, [2n, 4n]]])
    expect([...repack(defaultRepack, [createTsMsg({ type: 1, hashKeys: [0xffff_ffff] })], 3).keys()]).toEqual([0])
    expect(() => repack(defaultRepack, [createTsMsg({ type: 1 })], 2)).toThrow(expect.objectContaining({ code: 'MSG_REPACK_INVALID', outcome: 'not-applied' }))
  })

  it('custom: multicast is legal, a wrong bucket, a lost message or no map is not', () => {
    expect(repack(() => new Map([[0, msgs], [1, msgs]]), msgs, 2).size).toBe(2)
    for (const bad of [new Map([[2, msgs]]), new Map([[-1, msgs]]), new Map([[0.5, msgs]]), new Map([[0, msgs.slice(1)]]), new Map([[0, 'x']]), {}, undefined]) {
      expect(() => repack(() => bad as never, msgs, 2)).toThrow(expect.objectContaining({ code: 'MSG_REPACK_INVALID' }))
    }
  })
})

describe('ids and positions', () => {
  it('comparing bytes compares places', () => {
    fc.assert(
      fc.property(fc.nat(Number.MAX_SAFE_INTEGER), fc.nat(Number.MAX_SAFE_INTEGER), (a, b) => {
        const [x, y] = [new OffsetId('file', a), new OffsetId('file', b)]
        const [p, q] = [{ backend: 'file', bytes: x.bytes }, { backend: 'file', bytes: y.bytes }]
        expect(Math.sign(compareMessageIds(x, y))).toBe(Math.sign(a - b))
        expect(Math.sign(compareMessageIds(p, q))).toBe(Math.sign(a - b))
        expect(Math.sign(compareMessageIds(x, q))).toBe(Math.sign(a - b))
        expect(offsetOf(p, 'file')).toBe(a)
      }),
    )
  })

  it('positions survive bytes and JSON', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,30}$/), u64, fc.option(fc.uint8Array({ maxLength: 20 }), { nil: undefined }), (channel, timestamp, bytes) => {
        const position: MsgPosition = { channel, timestamp, msgId: bytes === undefined ? undefined : { backend: 'kafka', bytes } }
        expect(positionFromBytes(positionToBytes(position))).toEqual(position)
        expect(positionFromJson(JSON.parse(JSON.stringify(positionToJson(position))) as never)).toEqual(position)
        expect(comparePositions(position, position)).toBe(0)
      }),
    )
  })

  it('refuses ids of two backends, positions of two channels, and bytes that are none', () => {
    expect(() => compareMessageIds(new OffsetId('a', 1), new OffsetId('b', 1))).toThrow(TypeError)
    expect(() => comparePositions({ channel: 'a', msgId: undefined, timestamp: 0n }, { channel: 'b', msgId: undefined, timestamp: 0n })).toThrow(TypeError)
    for (const bad of [new Uint8Array(0), new Uint8Array(9), Uint8Array.of(2, 0, 0, 0, 0, 0, 0, 0, 0, 1, 97), new Uint8Array(300).fill(255), 'text']) expect(() => positionFromBytes(bad as Uint8Array)).toThrow(TypeError)
    for (const bad of [{}, { channel: 'a', timestamp: '-1' }, { channel: 'a', timestamp: 1 }, { channel: '/', timestamp: '1' }, { channel: 'a', timestamp: '1', id: 'zz', backend: 'x' }]) {
      expect(() => positionFromJson(bad as never)).toThrow(TypeError)
    }
  })
})
