import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import protobuf from 'protobufjs'
import { describe, expect, test } from 'vitest'
import { decodeHealth, decodeRequest, decodeResponse, encodeHealth, encodeRequest, encodeResponse } from '../src/grpc/codec.ts'
import { SeededRandom } from '../src/testing.ts'

const { root } = protobuf.parse(readFileSync(join(import.meta.dirname, '../proto/timetick_tso.proto'), 'utf8'))
const Request = root.lookupType('timetick.tso.v1.TimestampRequest')
const Response = root.lookupType('timetick.tso.v1.TimestampResponse')
const none = { id: 0, first: 0n, count: 0, failure: undefined }

describe('the wire is that of the proto file', () => {
  test('requests and responses, both ways', () => {
    const random = new SeededRandom(7)
    for (let round = 0; round < 500; round++) {
      const id = random.integer(0, 2 ** 32 - 1)
      const count = random.integer(0, 262_143)
      expect(decodeRequest(Buffer.from(Request.encode({ id, count }).finish()))).toEqual({ id, count })
      expect(Request.decode(encodeRequest({ id, count }))).toMatchObject({ id, count })
      const first = BigInt(random.integer(0, 2 ** 32 - 1)) * 2n ** 32n + BigInt(random.integer(0, 2 ** 32 - 1))
      const long = { low: Number(first & 0xffffffffn), high: Number(first >> 32n) }
      const response = { id, first, count, failure: undefined }
      expect(decodeResponse(encodeResponse(response))).toEqual(response)
      expect(decodeResponse(Buffer.from(Response.encode({ id, first: long, count }).finish()))).toEqual(response)
      expect(String(Response.toObject(Response.decode(encodeResponse(response)))['first'])).toBe(String(first))
    }
  })

  test('failures, with long and odd texts', () => {
    for (const text of ['', 'x', 'ä'.repeat(300), '\0"', 'a'.repeat(5_000)]) {
      const failure = { code: 'TSO_NOT_LEADER', message: text, leader: text, retryable: true }
      const bytes = encodeResponse({ ...none, id: 9, failure })
      const expected = { code: 'TSO_NOT_LEADER', message: text.slice(0, 500), leader: text.slice(0, 200), retryable: true }
      expect(Response.toObject(Response.decode(bytes), { defaults: true })).toMatchObject({ id: 9, ...expected })
      expect(decodeResponse(bytes)).toEqual({ ...none, id: 9, failure: expected })
    }
  })

  test('empty messages have zeros; unknown fields are passed over; what is cut off is refused', () => {
    expect(decodeRequest(Buffer.alloc(0))).toEqual({ id: 0, count: 0 })
    expect(decodeResponse(Buffer.alloc(0))).toEqual(none)
    expect(decodeHealth(encodeHealth(2))).toBe(2)
    const more = Buffer.concat([Buffer.from([0x78, 0x96, 0x01, 0x7a, 0x02, 1, 2]), encodeRequest({ id: 1, count: 2 })])
    expect(decodeRequest(more)).toEqual({ id: 1, count: 2 })
    const whole = encodeResponse({ ...none, failure: { code: 'TSO_CLOSED', message: 'm', leader: 'l', retryable: false } })
    const cuts = Array.from({ length: whole.length }, (_, length) => whole.subarray(0, length))
    expect(cuts.filter((cut) => throws(() => decodeResponse(cut))).length).toBeGreaterThan(whole.length / 2)
    for (const bytes of [[0x0b], [0x0c], [0xff], Array<number>(12).fill(0xff), [0x22, 0xff, 0xff, 0xff, 0xff, 0x0f]]) {
      expect(() => decodeResponse(Buffer.from(bytes))).toThrow(RangeError)
    }
  })

  test('random bytes give a message or a RangeError', () => {
    const random = new SeededRandom(3)
    for (let round = 0; round < 5_000; round++) {
      const bytes = Buffer.from(Array.from({ length: random.integer(0, 40) }, () => random.integer(0, 255)))
      try {
        decodeResponse(bytes)
      } catch (error) {
        expect(error).toBeInstanceOf(RangeError)
      }
    }
  })
})

function throws(run: () => unknown): boolean {
  try {
    run()
    return false
  } catch {
    return true
  }
}
