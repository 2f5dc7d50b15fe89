import { describe, expect, it } from 'vitest'
import { completeMessage, decodeMessage, encodeMessage, methods } from '../../src/wire/index.ts'

describe('wire codec', () => {
  it('keeps 64-bit integers exact, signed and unsigned', () => {
    const values = [0n, 1n, -1n, 2n ** 53n + 1n, 2n ** 63n - 1n, -(2n ** 63n)]
    const bytes = encodeMessage('schema.LongArray', { data: values })
    expect(decodeMessage('schema.LongArray', bytes).data).toEqual(values)
    const stamped = encodeMessage('milvus.AllocTimestampResponse', { timestamp: 2n ** 64n - 1n })
    expect(decodeMessage('milvus.AllocTimestampResponse', stamped).timestamp).toBe(2n ** 64n - 1n)
  })

  it('fills what was not sent, and leaves unset members of a oneof out', () => {
    const request = decodeMessage('milvus.SearchRequest', new Uint8Array())
    expect(request).toMatchObject({ db_name: '', nq: 0n, output_fields: [], base: null, expr_template_values: {} })
    expect('placeholder_group' in request).toBe(false)
    expect('ids' in request).toBe(false)
  })

  it('round-trips hostile keys of maps without touching prototypes', () => {
    const extra = Object.fromEntries([
      ['__proto__', 'a'],
      ['constructor', 'b'],
      ['', 'c'],
    ])
    const bytes = encodeMessage('common.Status', { extra_info: extra })
    const decoded = decodeMessage('common.Status', bytes).extra_info
    expect(new Map(Object.entries(decoded))).toEqual(new Map(Object.entries(extra)))
    expect(Object.getPrototypeOf(decoded)).toBe(Object.prototype)
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
  })

  it('packs repeated numbers', () => {
    expect(encodeMessage('schema.FloatArray', { data: [1, 2] })).toHaveLength(10)
  })

  it('refuses bytes that are no message, and nesting without end', () => {
    expect(() => decodeMessage('milvus.SearchRequest', new Uint8Array([0xff, 0xff, 0xff]))).toThrow(/index out of range|invalid/)
    let nested: Uint8Array = new Uint8Array()
    for (let depth = 0; depth < 500; depth++) {
      const length = []
      for (let rest = nested.length; ; rest >>>= 7) {
        length.push(rest > 127 ? (rest & 127) | 128 : rest)
        if (rest <= 127) break
      }
      // ScalarField.array_data (8) and ArrayArray.data (1) hold each other.
      nested = Uint8Array.from([depth % 2 === 0 ? 0x0a : 0x42, ...length, ...nested])
    }
    expect(() => decodeMessage('schema.ScalarField', nested)).toThrow('max depth exceeded')
  })

  it('has every method of MilvusService', () => {
    expect(methods.filter((method) => method.service === 'MilvusService')).toHaveLength(143)
    expect(methods.filter((method) => method.service === 'ClientTelemetryService').map((method) => method.name)).toEqual([
      'ClientHeartbeat',
    ])
    for (const method of methods) {
      const status =
        method.response.name === 'Status' ||
        method.response.fieldsArray.some((field) => field.resolvedType?.name === 'Status' && !field.repeated)
      if (!status) expect(['Dummy', 'GetReplicateInfo', 'CreateReplicateStream', 'DumpMessages']).toContain(method.name)
    }
  })

  it('completes a message', () => {
    expect(completeMessage('milvus.BoolResponse', { value: true })).toEqual({ status: null, value: true })
  })
})
