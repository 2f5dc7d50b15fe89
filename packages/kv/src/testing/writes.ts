import assert from 'node:assert/strict'
import type { Kit } from './kit.ts'

export function writeTests(kit: Kit): void {
  kit.test('each save makes a greater revision, also with an unchanged value', async (kv) => {
    const first = await kv.save('a', '1')
    const second = await kv.save('a', '1')
    const third = await kv.save('b', '1')
    assert.equal(typeof first, 'bigint')
    assert.ok(first > 0n && second > first && third > second)
    assert.equal((await kv.loadEntry('a'))?.modRevision, second)
  })

  kit.test('Must not reuse a revision after a removal', async (kv) => {
    const first = await kv.save('a', '1')
    const removed = await kv.remove('a')
    const again = await kv.save('a', '1')
    assert.ok(first < removed && removed < again)
    assert.equal((await kv.loadEntry('a'))?.modRevision, again)
    assert.equal(await kv.compareAndSave('a', first, '2'), false, 'no ABA')
  })

  kit.test('all operations of a transaction share one revision', async (kv) => {
    await kv.save('gone', 'x')
    const { applied, revision } = await kv.multiSaveAndRemove({ a: '1', b: '2' }, ['gone'])
    assert.equal(applied, true)
    assert.deepEqual((await kv.loadWithPrefix('')).modRevisions, [revision, revision])
    assert.equal((await kv.loadWithPrefix('')).revision, revision)
  })

  kit.test('multiSave takes a Map, pairs and a plain object', async (kv) => {
    await kv.multiSave(new Map([['a', '1']]))
    await kv.multiSave([['b', '2']])
    await kv.multiSave({ c: '3' })
    const bare = Object.create(null) as Record<string, string>
    bare['d'] = '4'
    await kv.multiSave(bare)
    await kv.multiSave([['__proto__', '5']])
    const page = await kv.loadWithPrefix('')
    assert.deepEqual(Object.fromEntries(page.keys.map((key, index) => [`.${key}`, page.values[index]])), {
      '.__proto__': '5', '.a': '1', '.b': '2', '.c': '3', '.d': '4',
    })
  })

  kit.test('nothing to do changes nothing and gives the current revision', async (kv) => {
    const revision = await kv.save('a', '1')
    assert.equal(await kv.remove('none'), revision)
    assert.equal(await kv.multiRemove([]), revision)
    assert.equal(await kv.multiRemove(['none', 'no']), revision)
    assert.equal(await kv.removeWithPrefix('none'), revision)
    assert.equal(await kv.multiSave([]), revision)
    assert.equal(await kv.multiSave({}), revision)
    assert.deepEqual(await kv.multiSaveAndRemove([], []), { applied: true, revision })
    assert.equal((await kv.loadWithPrefix('')).revision, revision)
  })

  kit.test('removals remove, duplicates count once, in one revision', async (kv) => {
    await kv.multiSave({ a: '1', b: '2', c: '3' })
    const before = (await kv.loadWithPrefix('')).revision
    const revision = await kv.multiRemove(['a', 'b', 'a', 'none'])
    assert.equal(revision, before + 1n)
    assert.deepEqual((await kv.loadWithPrefix('')).keys, ['c'])
    assert.equal(await kv.remove('c'), revision + 1n)
    assert.equal(await kv.has('c'), false)
  })

  kit.test('multiSaveAndRemove saves a key that is in both lists', async (kv) => {
    await kv.multiSave({ both: 'old', gone: 'x' })
    await kv.multiSaveAndRemove({ both: 'new' }, ['both', 'gone', 'none'])
    assert.deepEqual((await kv.loadWithPrefix('')).keys, ['both'])
    assert.equal(await kv.load('both'), 'new')
  })

  kit.test('concurrent increments by compareAndSave lose nothing', async (kv) => {
    await kv.save('n', '0')
    const increment = async (): Promise<void> => {
      for (;;) {
        const entry = await kv.loadEntry('n')
        if (entry === undefined) return assert.fail('the counter is gone')
        if (await kv.compareAndSave('n', entry.modRevision, String(Number(entry.value) + 1))) return
      }
    }
    await Promise.all(Array.from({ length: 8 }, async () => {
      for (let round = 0; round < 5; round++) await increment()
    }))
    assert.equal(await kv.load('n'), '40')
  })

  kit.test('concurrent writes get distinct revisions and the last one stays', async (kv) => {
    const revisions = await Promise.all(Array.from({ length: 100 }, (_, index) => kv.save('same', String(index))))
    assert.equal(new Set(revisions).size, 100)
    const last = revisions.indexOf(revisions.reduce((a, b) => (a > b ? a : b)))
    assert.equal(await kv.load('same'), String(last))
  })

  kit.test('changes of the caller after a call do not reach the store', async (kv) => {
    const pairs: [string, string][] = [['a', '1']]
    const keys = ['b']
    await kv.save('b', 'x')
    await kv.save('c', 'x')
    const saving = kv.multiSave(pairs)
    pairs[0] = ['z', '9']
    const removing = kv.multiRemove(keys)
    keys[0] = 'c'
    await Promise.all([saving, removing])
    assert.deepEqual((await kv.loadWithPrefix('')).keys, ['a', 'c'])
  })
}
