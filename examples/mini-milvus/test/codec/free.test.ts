import { expect, test } from 'vitest'
import { freeColumns } from '../../src/codec/free.ts'
import { DataType } from '../../src/model/schema.ts'

test('freed columns hold no memory, shared memory and columns without bytes are left alone', () => {
  const vector = { kind: 'vector' as const, type: DataType.FloatVector, length: 2, valid: undefined, dim: 2, bytesPerRow: 8, data: new Uint8Array(16) }
  const shared = { ...vector, data: new Uint8Array(new SharedArrayBuffer(16)) }
  const numbers = { kind: 'int64' as const, type: DataType.Int64, length: 1, valid: undefined, values: BigInt64Array.of(7n) }
  freeColumns([vector, shared, numbers])
  expect(vector.data.byteLength).toBe(0)
  expect(shared.data.byteLength).toBe(16)
  expect(numbers.values[0]).toBe(7n)
  freeColumns([vector])
})
