import { createMemoryKV } from '@timetick/kv/memory'
import { KVError, type KVBase } from '@timetick/kv'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../src/edge/system.ts'
import { openTransactions, TransactionError } from '../../src/staging/transactions.ts'

const clock = systemClock
const commit = { ts: 10n, channels: ['a', 'b'] }

/** Answers of the next commits: an error, or one that comes after the write. */
function failing(kv: KVBase, ...failures: ('not-applied' | 'unknown')[]): KVBase {
  return new Proxy(kv, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property, target)
      if (typeof value !== 'function') return value
      return async (...args: unknown[]): Promise<unknown> => {
        const failure = property === 'multiSaveAndRemove' ? failures.shift() : undefined
        if (failure === 'not-applied') throw new KVError('KV_UNAVAILABLE', 'refused', { outcome: failure })
        const result: unknown = await (Reflect.apply(value, target, args) as Promise<unknown>)
        if (failure === 'unknown') throw new KVError('KV_TIMEOUT', 'no answer', { outcome: failure })
        return result
      }
    },
  })
}

describe('transactions', () => {
  it('count for this start and the next ones once they are recorded, and not before', async () => {
    const kv = createMemoryKV()
    const first = await openTransactions({ kv, clock })
    const id = first.nextId()
    expect(first.committed(id)).toBeUndefined()
    await first.commit(id, commit)
    const other = first.nextId()
    const second = await openTransactions({ kv, clock })
    expect([first.committed(id), second.committed(id), second.committed(other)]).toEqual([commit, commit, undefined])
    expect(second.latestTs()).toBe(10n)
    expect(second.nextId()).not.toBe(id)
  })

  it('are recorded although answers are lost and writes refused', async () => {
    const kv = createMemoryKV()
    const transactions = await openTransactions({ kv: failing(kv, 'unknown', 'not-applied'), clock })
    await transactions.commit('1-1', commit)
    expect((await openTransactions({ kv, clock })).committed('1-1')).toEqual(commit)
  })

  it('cannot be recorded by a process that another one has followed', async () => {
    const kv = createMemoryKV()
    const old = await openTransactions({ kv, clock })
    await openTransactions({ kv, clock })
    const refusal: unknown = await old.commit('1-1', commit).catch((error: unknown) => error)
    expect(refusal).toBeInstanceOf(TransactionError)
    expect((refusal as TransactionError).outcome).toBe('not-applied')
    expect((await openTransactions({ kv, clock })).committed('1-1')).toBeUndefined()
  })

  it('end their attempts at the close, and say what they know', async () => {
    const refusing = await openTransactions({ kv: failing(createMemoryKV(), 'not-applied', 'not-applied'), clock })
    const refused = refusing.commit('1-1', commit).catch((error: unknown) => error)
    refusing.close()
    expect(await refused).toMatchObject({ outcome: 'not-applied' })
    const silent = await openTransactions({ kv: failing(createMemoryKV(), 'unknown'), clock })
    silent.close()
    expect(await silent.commit('1-1', commit).catch((error: unknown) => error)).toMatchObject({ outcome: 'unknown' })
  })

  it('are forgotten when every channel has passed them', async () => {
    const kv = createMemoryKV()
    const transactions = await openTransactions({ kv, clock })
    await transactions.commit('1-1', commit)
    await transactions.forget((channel) => (channel === 'a' ? 11n : 10n))
    expect(transactions.size).toBe(1)
    await transactions.forget(() => 11n)
    expect([transactions.size, transactions.latestTs()]).toEqual([0, 0n])
    expect((await openTransactions({ kv, clock })).size).toBe(0)
  })
})
