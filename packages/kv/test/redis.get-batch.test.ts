import { describe, expect, it } from 'vitest'
import { GetBatch } from '../src/redis/get-batch.ts'

describe('reads of single keys on Redis', () => {
  const entry = (key: string, stored: unknown) => {
    if (stored instanceof Error) throw stored
    return stored === null ? undefined : { key, value: stored as string, revision: 1n }
  }
  const batchOf = (answer: (key: string) => unknown) => {
    const calls: (readonly string[])[] = []
    const batch = new GetBatch((keys) => {
      calls.push(keys)
      return Promise.resolve(keys.map(answer))
    }, entry)
    const get = async (key: string): Promise<unknown> => (await batch.get(key))?.value
    return { calls, get, getAll: (count: number) => Promise.all(Array.from({ length: count }, (_, index) => get(`k${index}`))) }
  }

  it('share a call with those of their turn, and with no later one', async () => {
    const { calls, get, getAll } = batchOf((key) => (key === 'k1' ? null : `of ${key}`))
    expect(await getAll(3)).toEqual(['of k0', undefined, 'of k2'])
    expect(await get('k7')).toBe('of k7')
    expect(calls).toEqual([['k0', 'k1', 'k2'], ['k7']])
  })

  it('fail alone when a value is damaged, and together when the call fails', async () => {
    const { get } = batchOf((key) => (key === 'bad' ? new Error('damaged') : key))
    expect(await Promise.allSettled([get('a'), get('bad'), get('b')])).toEqual([
      { status: 'fulfilled', value: 'a' }, { status: 'rejected', reason: new Error('damaged') }, { status: 'fulfilled', value: 'b' },
    ])
    const cut = new GetBatch(() => Promise.reject(new Error('cut')), entry)
    expect(await Promise.allSettled([cut.get('a'), cut.get('b')])).toEqual(Array.from({ length: 2 }, () => ({ status: 'rejected', reason: new Error('cut') })))
  })

  it('are fewer a call where values are large', async () => {
    const { calls, getAll } = batchOf(() => 'v'.repeat(300_000))
    await getAll(200)
    await getAll(7)
    expect(calls.map((keys) => keys.length)).toEqual([128, 72, 3, 3, 1])
  })
})
