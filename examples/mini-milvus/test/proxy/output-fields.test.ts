import { expect, test } from 'vitest'
import { resolveOutputFields } from '../../src/proxy/output-fields.ts'
import { schema, staticSchema } from '../filter/table.ts'

test('a key of the dynamic field is named by itself, or within it', () => {
  for (const name of ['color', '$meta["color"]', "$meta['color']", '$meta.color']) {
    const { dynamicKeys, names } = resolveOutputFields(schema, ['id', name])
    expect([name, [...(dynamicKeys ?? [])], names]).toEqual([name, ['color'], ['id', name]])
  }
  expect(resolveOutputFields(schema, ['$meta', 'color']).dynamicKeys).toBe(undefined)
})

test('what lies deeper is refused, rather than left out', () => {
  expect(() => resolveOutputFields(schema, ['doc["a"]'])).toThrow('not support getting subkeys of json field yet')
  expect(() => resolveOutputFields(schema, ['color["a"]'])).toThrow('not support getting subkeys of json field yet')
  expect(() => resolveOutputFields(schema, ['ints[0]'])).toThrow('parse output field name failed: ints[0]')
  expect(() => resolveOutputFields(schema, ['$meta["a"]["b"]'])).toThrow('not support getting multiple level of dynamic field')
  expect(() => resolveOutputFields(staticSchema, ['doc["a"]'])).toThrow('field doc["a"] not exist')
})
