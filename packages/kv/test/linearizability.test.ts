import { describe, expect, it } from 'vitest'
import { createMemoryKV } from '../src/memory.ts'
import { KVError } from '../src/index.ts'
import { assertLinearizable, runClient } from '../src/testing/kv-history.ts'
import { checkLinearizable, type HistoryCall, type KVInput, kvModel, type KVOutput, KVRecorder } from '../src/testing.ts'

type Call = HistoryCall<KVInput, KVOutput>
const save = (value: string, revision: bigint | undefined, start: number, end: number): Call => (
  { input: { kind: 'save', key: 'k', value }, output: revision === undefined ? undefined : { revision }, start, end })
const load = (value: string | undefined, revision: bigint | undefined, start: number, end: number): Call => (
  { input: { kind: 'load', key: 'k' }, output: { value, revision }, start, end })
const isFine = (...calls: Call[]): boolean => checkLinearizable(kvModel, calls).ok

describe('the checker of histories', () => {
  it('lets overlapping calls come in any order', () => {
    expect(isFine(save('a', 1n, 0, 10), load(undefined, undefined, 1, 2), load('a', 1n, 3, 4))).toBe(true)
    expect(isFine(save('a', 1n, 0, 10), save('b', 2n, 0, 10), load('b', 2n, 1, 2), load('b', 2n, 11, 12))).toBe(true)
  })

  it('finds a stale read, a read of the future, a read that goes back and a lost save', () => {
    expect(isFine(save('a', 1n, 0, 1), save('b', 2n, 2, 3), load('a', 1n, 4, 5))).toBe(false)
    expect(isFine(load('a', 1n, 0, 1), save('a', 1n, 2, 3))).toBe(false)
    expect(isFine(save('a', 1n, 0, 10), load('a', 1n, 1, 2), load(undefined, undefined, 3, 4))).toBe(false)
    expect(isFine(save('a', 1n, 0, 1), load(undefined, undefined, 2, 3))).toBe(false)
  })

  it('takes a call of unknown outcome for done at any later time, or never', () => {
    expect(isFine(save('a', undefined, 0, Infinity), load(undefined, undefined, 1, 2), load('a', 7n, 3, 4))).toBe(true)
    expect(isFine(save('a', undefined, 0, Infinity), load(undefined, undefined, 1, 2))).toBe(true)
    expect(isFine(save('a', undefined, 0, Infinity), load('a', 7n, 1, 2), load(undefined, undefined, 3, 4))).toBe(false)
  })

  it('finds two winners of one comparison', () => {
    const swap = (value: string, applied: boolean, start: number): Call => (
      { input: { kind: 'compareAndSave', key: 'k', expected: 0n, value }, output: { applied }, start, end: start + 9 })
    expect(isFine(swap('a', true, 0), swap('b', false, 1))).toBe(true)
    expect(isFine(swap('a', true, 0), swap('b', true, 1))).toBe(false)
    expect(isFine(swap('a', false, 0), swap('b', false, 1))).toBe(false)
  })

  it('says where it was stuck, and when it gave up', () => {
    const stale = load('a', 1n, 4, 5)
    const calls = [save('a', 1n, 0, 1), save('b', 2n, 2, 3), stale]
    expect(checkLinearizable(kvModel, calls).failure).toMatchObject({ partition: 'k', stuckAt: stale, explained: calls.slice(0, 2) })
    expect(checkLinearizable(kvModel, calls, { maxSteps: 1 })).toMatchObject({ ok: false, gaveUp: true })
  })

  it('explains long histories with lost answers quickly', async () => {
    for (let seed = 1; seed <= 3; seed++) {
      let count = 0
      const after = async (): Promise<void> => {
        await Promise.resolve()
        if (++count % 50 === 0) throw new KVError('KV_TIMEOUT', 'the answer was lost', { outcome: 'unknown' })
      }
      const recorder = new KVRecorder(createMemoryKV({ faults: { after } }))
      const keys = Array.from({ length: 10 }, (_, index) => `k${index}`)
      await Promise.all(Array.from({ length: 16 }, (_, name) => runClient(recorder, name, { seed, calls: 300, keys })))
      assertLinearizable(recorder, `SEED=${seed}`)
    }
  })
})
