import { describe, expect, it } from 'vitest'
import { CommitGate } from '../../src/querynode/commit-gate.ts'

const commit = { ts: 10n, channels: ['a', 'b'] }

describe('the gate of commits', () => {
  it('applies all parts in one step, when the last channel has come', async () => {
    const gate = new CommitGate(new Map([['a', 0n], ['b', 0n]]))
    const applied: string[] = []
    const first = gate.arrive('a', commit, () => applied.push('a'))
    await Promise.resolve()
    expect(applied).toEqual([])
    expect(gate.arrive('b', commit, () => applied.push('b'))).toBeUndefined()
    expect(applied.sort()).toEqual(['a', 'b'])
    expect(await first).toBe(true)
  })

  it('waits for no channel that is read from behind the commit, nor for one that is not read', () => {
    const applied: string[] = []
    expect(new CommitGate(new Map([['a', 0n], ['b', 10n]])).arrive('a', commit, () => applied.push('behind'))).toBeUndefined()
    expect(new CommitGate(new Map([['a', 0n]])).arrive('a', commit, () => applied.push('other'))).toBeUndefined()
    expect(new CommitGate(new Map([['a', 0n], ['b', 10n]])).arrive('b', commit, () => applied.push('again'))).toBeUndefined()
    expect(applied).toEqual(['behind', 'other', 'again'])
  })

  it('lets everybody go with nothing applied when it is closed', async () => {
    const gate = new CommitGate(new Map([['a', 0n], ['b', 0n]]))
    const waiting = gate.arrive('a', commit, () => expect.unreachable())
    gate.close()
    expect(await waiting).toBe(false)
    expect(await gate.arrive('b', commit, () => expect.unreachable())).toBe(false)
  })
})
