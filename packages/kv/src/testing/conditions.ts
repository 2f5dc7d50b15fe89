import assert from 'node:assert/strict'
import type { Kit } from './kit.ts'

export function conditionTests(kit: Kit): void {
  kit.test('compareAndSave with 0n creates, once', async (kv) => {
    assert.equal(await kv.compareAndSave('k', 0n, '1'), true)
    assert.equal(await kv.compareAndSave('k', 0n, '2'), false)
    assert.equal(await kv.load('k'), '1')
  })

  kit.test('compareAndSave wins with the current revision and loses with any other', async (kv) => {
    const first = await kv.save('k', '1')
    assert.equal(await kv.compareAndSave('k', first, '2'), true)
    const now = (await kv.loadEntry('k'))?.modRevision ?? 0n
    assert.ok(now > first)
    for (const stale of [0n, first, now + 1n, 2n ** 63n - 1n]) assert.equal(await kv.compareAndSave('k', stale, 'x'), false)
    assert.deepEqual(await kv.loadEntry('k'), { key: 'k', value: '2', modRevision: now })
    assert.equal(await kv.compareAndSave('none', now, 'x'), false)
    assert.equal(await kv.has('none'), false)
    assert.equal((await kv.loadWithPrefix('')).revision, now, 'losing makes no revision')
  })

  kit.test('of many that create the same key exactly one wins', async (kv) => {
    const wins = await Promise.all(Array.from({ length: 20 }, (_, index) => kv.compareAndSave('leader', 0n, String(index))))
    assert.equal(wins.filter(Boolean).length, 1)
    assert.equal(await kv.load('leader'), String(wins.indexOf(true)))
  })

  kit.test('Must write nothing when a condition fails', async (kv) => {
    const revision = await kv.multiSave({ a: '1', b: '2' })
    const failing = [
      [{ key: 'a', modRevision: revision + 1n }],
      [{ key: 'a', modRevision: 0n }],
      [{ key: 'none', modRevision: revision }],
      [{ key: 'none', exists: true }],
      [{ key: 'a', exists: false }],
      [{ key: 'a', exists: true }, { key: 'b', exists: true }, { key: 'c', exists: true }],
    ]
    for (const when of failing) {
      assert.deepEqual(await kv.multiSaveAndRemove({ a: 'x', c: 'x' }, ['b'], { when }), { applied: false, revision })
    }
    const page = await kv.loadWithPrefix('')
    assert.deepEqual([page.keys, page.values, page.revision], [['a', 'b'], ['1', '2'], revision])
  })

  kit.test('a transaction applies when all conditions hold', async (kv) => {
    const revision = await kv.multiSave({ a: '1', b: '2' })
    const when = [{ key: 'a', modRevision: revision }, { key: 'b', exists: true }, { key: 'c', exists: false }, { key: 'c', modRevision: 0n }]
    const result = await kv.multiSaveAndRemove({ a: 'x', c: 'y' }, ['b'], { when })
    assert.equal(result.applied, true)
    assert.ok(result.revision > revision)
    assert.deepEqual((await kv.loadWithPrefix('')).keys, ['a', 'c'])
  })

  kit.test('conditions see the state before the transaction', async (kv) => {
    await kv.save('a', '1')
    const result = await kv.multiSaveAndRemove({ b: '1' }, ['a'], { when: [{ key: 'a', exists: true }, { key: 'b', exists: false }] })
    assert.equal(result.applied, true)
    assert.deepEqual((await kv.loadWithPrefix('')).keys, ['b'])
  })

  kit.test('conditions see what calls before them wrote, also while those are under way', async (kv) => {
    const first = kv.multiSaveAndRemove({ k: 'first' }, [], { when: [{ key: 'k', exists: false }] })
    const second = kv.multiSaveAndRemove({ k: 'second' }, [], { when: [{ key: 'k', exists: false }] })
    const third = kv.multiSaveAndRemove([], ['k'], { when: [{ key: 'k', exists: true }] })
    const applied = (await Promise.all([first, second, third])).map((result) => result.applied)
    const winners = applied.slice(0, 2).filter(Boolean).length
    assert.ok(winners === 1 || (winners === 2 && applied[2]), `impossible: ${applied.join()}`)
  })
}
