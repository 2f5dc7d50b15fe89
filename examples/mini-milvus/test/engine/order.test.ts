import { describe, expect, test } from 'vitest'
import { localOrder } from '../../src/engine/order.ts'
import { latent } from './vectors.ts'

describe('localOrder', () => {
  test.each([
    [0, 3],
    [1, 3],
    [128, 3],
    [129, 1],
    [3000, 17],
  ])('is a permutation of %i rows, the same each time', (rows, dim) => {
    const values = latent(rows, dim, 1)
    const order = localOrder(values, dim, rows, () => false)
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: rows }, (_, i) => i))
    expect(localOrder(values, dim, rows, () => false)).toEqual(order)
  })

  test('equal vectors, zeros and NaN do no harm', () => {
    for (const value of [0, 1, NaN]) expect(new Set(localOrder(new Float32Array(4000).fill(value), 4, 1000, () => false)).size).toBe(1000)
  })

  test('neighbours in the order are nearer than rows of the old order', () => {
    const dim = 16
    const values = latent(5000, dim, 1)
    const order = localOrder(values, dim, 5000, () => false)
    const distance = (a: number, b: number) =>
      Array.from({ length: dim }, (_, d) => ((values[a * dim + d] ?? 0) - (values[b * dim + d] ?? 0)) ** 2).reduce((x, y) => x + y)
    let before = 0
    let after = 0
    for (let i = 1; i < 5000; i++) {
      before += distance(i - 1, i)
      after += distance(order[i - 1] ?? 0, order[i] ?? 0)
    }
    expect(after).toBeLessThan(before * 0.8)
  })
})
