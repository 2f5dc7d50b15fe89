import { expect, test } from 'vitest'
import { Layer } from '../src/core/layer.ts'
import { shortestFloat32, withShortFloats } from '../src/rest/float32.ts'
import { TestClock } from './clock.ts'

test('U44 numbers of 32 bits are shown as they were written, and stay the same number', () => {
  for (const written of [0.01, 0.1, 1.5, 3.14159, 1e-10, 123456.7, 16777216, -0.3, 0, 1e30]) expect(shortestFloat32(Math.fround(written))).toBe(written)
  for (let i = 0; i < 2000; i++) {
    const value = Math.fround(Math.sin(i) * 10 ** (i % 30 - 15))
    expect(Math.fround(shortestFloat32(value))).toBe(value)
  }
  expect([shortestFloat32(Infinity), shortestFloat32(Number.NaN)]).toEqual([Infinity, Number.NaN])
})

test('U44 only fields of 32 bits and scores are shortened', () => {
  const layer = new Layer({ epoch: 'e', clock: new TestClock() })
  layer.upsert('collection', 'default/1', { name: 'a', fields: [{ name: 'price', type: 'Float' }, { name: 'exact', type: 'Double' }] }, 'push')
  const wide = Math.fround(0.01)
  const row = { price: wide, exact: wide, other: wide, distance: wide, text: 'x', list: [wide], none: null }
  expect(withShortFloats([row], layer, 'default', 'a')).toEqual([{ ...row, price: 0.01, distance: 0.01 }])
  expect(withShortFloats([row], layer, 'default', 'b')).toEqual([{ ...row, distance: 0.01 }])
  layer.close()
})
