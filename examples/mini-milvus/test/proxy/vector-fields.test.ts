import { describe, expect, test } from 'vitest'
import { DataType } from '../../src/model/schema.ts'
import { fieldFromWire } from '../../src/proxy/ddl-fields.ts'
import { decodeMessage, encodeMessage } from '../../src/wire/index.ts'

const wire = (data_type: number, dim?: string) =>
  decodeMessage('schema.FieldSchema', encodeMessage('schema.FieldSchema', { name: 'v', data_type, type_params: dim === undefined ? [] : [{ key: 'dim', value: dim }] }))

describe('vector fields', () => {
  test.each([
    [DataType.BinaryVector, '8'],
    [DataType.BinaryVector, '262144'],
    [DataType.Float16Vector, '2'],
    [DataType.BFloat16Vector, '32768'],
    [DataType.Int8Vector, '3'],
    [DataType.FloatVector, '128'],
  ])('type %i of %s dimensions', (type, dim) => {
    expect(fieldFromWire(wire(type, dim), 100, 'c')).toMatchObject({ type, dim: Number(dim) })
  })

  test('sparse vectors have no dimension', () => {
    expect(fieldFromWire(wire(DataType.SparseFloatVector), 100, 'c').dim).toBeUndefined()
    expect(() => fieldFromWire(wire(DataType.SparseFloatVector, '4'), 100, 'c')).toThrow('dim should not be specified for sparse vector field v')
  })

  test.each([
    [DataType.BinaryVector, '12', 'binary vector dimension should be multiple of 8.'],
    [DataType.BinaryVector, '0', 'binary vector dimension should be in range 8 ~ 262144'],
    [DataType.BinaryVector, '262152', 'binary vector dimension should be in range 8 ~ 262144'],
    [DataType.Float16Vector, '1', 'float vector dimension should be in range 2 ~ 32768'],
    [DataType.Int8Vector, '32769', 'float vector dimension should be in range 2 ~ 32768'],
    [DataType.BFloat16Vector, '-4', 'should be in range'],
    [DataType.BFloat16Vector, '4.5', 'should be in range'],
    [DataType.Int8Vector, undefined, 'dimension is not defined in field type params'],
  ])('type %i of %s dimensions is refused', (type, dim, reason) => {
    expect(() => fieldFromWire(wire(type, dim), 100, 'c')).toThrow(reason)
  })
})
