import assert from 'node:assert/strict'
import type { Kit } from './kit.ts'

export function prefixTests(kit: Kit): void {
  kit.test('Must order keys by their UTF-8 bytes, not by UTF-16 units', async (kv) => {
    // U+FF5E is EF BD 9E, U+1F600 is F0 9F 98 80; in UTF-16 units the second comes first.
    const ordered = ['\0', 'A', 'Z', 'a', 'a\0', 'a/', 'a/b', 'a0', 'ab', 'z', '\u00e9', '\ud7ff', '\ue000', '\uff5e', '\uffff', '\u{10000}', '\u{1F600}', '\u{10ffff}']
    for (const key of [...ordered].reverse()) await kv.save(key, key)
    const page = await kv.loadWithPrefix('')
    assert.deepEqual(page.keys, ordered)
    assert.deepEqual(page.values, ordered)
    assert.deepEqual((await kv.loadWithPrefix('', { startAfter: '\uffff' })).keys, ordered.slice(ordered.indexOf('\u{10000}')))
  })

  kit.test('a prefix is a string prefix, not a folder', async (kv) => {
    await kv.multiSave({ a: '1', 'a/b': '2', ab: '3', b: '4', A: '5' })
    assert.deepEqual((await kv.loadWithPrefix('a')).keys, ['a', 'a/b', 'ab'])
    assert.deepEqual((await kv.loadWithPrefix('a/')).keys, ['a/b'])
    assert.deepEqual((await kv.loadWithPrefix('ab')).keys, ['ab'])
    assert.deepEqual((await kv.loadWithPrefix('abc')).keys, [])
  })

  kit.test('the empty prefix matches everything; no match gives empty lists', async (kv) => {
    const nothing = await kv.loadWithPrefix('')
    assert.deepEqual([nothing.keys, nothing.values, nothing.modRevisions, nothing.more], [[], [], [], false])
    await kv.multiSave({ a: '1', '\u{10ffff}': '2' })
    assert.equal((await kv.loadWithPrefix('')).keys.length, 2)
    assert.deepEqual((await kv.loadWithPrefix('\u{10ffff}')).keys, ['\u{10ffff}'], 'the last prefix there is')
  })

  kit.test('characters that are special in patterns are ordinary in prefixes', async (kv) => {
    const keys = ['*', '?', '[a]', '\\', '%', '_', '.', '^', '$', '{a}']
    await kv.multiSave(keys.map((key): [string, string] => [`${key}x`, key]))
    await kv.save('other', 'x')
    for (const key of keys) assert.deepEqual((await kv.loadWithPrefix(key)).values, [key])
  })

  kit.test('pages by limit and startAfter give everything once, for every page size', async (kv) => {
    const all = Array.from({ length: 23 }, (_, index) => `p/${String(index).padStart(3, '0')}`)
    await kv.multiSave([...all, 'o', 'q'].map((key): [string, string] => [key, `v${key}`]))
    for (const limit of [1, 2, 5, 22, 23, 24, 1000]) {
      const seen: string[] = []
      let startAfter: string | undefined
      for (;;) {
        const page = await kv.loadWithPrefix('p/', { limit, startAfter })
        assert.ok(page.keys.length <= limit)
        assert.deepEqual(page.values, page.keys.map((key) => `v${key}`))
        seen.push(...page.keys)
        if (!page.more) break
        startAfter = page.keys.at(-1)
      }
      assert.deepEqual(seen, all, `limit ${limit}`)
    }
  })

  kit.test('more is true exactly when a key was left out', async (kv) => {
    await kv.multiSave({ a: '1', b: '2' })
    assert.equal((await kv.loadWithPrefix('', { limit: 1 })).more, true)
    assert.equal((await kv.loadWithPrefix('', { limit: 2 })).more, false)
    assert.equal((await kv.loadWithPrefix('a', { limit: 1 })).more, false)
  })

  kit.test('startAfter need not exist and may lie outside the prefix', async (kv) => {
    await kv.multiSave({ 'p/a': '1', 'p/c': '2' })
    assert.deepEqual((await kv.loadWithPrefix('p/', { startAfter: 'p/b' })).keys, ['p/c'])
    assert.deepEqual((await kv.loadWithPrefix('p/', { startAfter: 'a' })).keys, ['p/a', 'p/c'])
    assert.deepEqual((await kv.loadWithPrefix('p/', { startAfter: 'p/' })).keys, ['p/a', 'p/c'])
    assert.deepEqual((await kv.loadWithPrefix('p/', { startAfter: 'z' })).keys, [])
    assert.deepEqual((await kv.loadWithPrefix('', { startAfter: 'p/c' })).keys, [])
  })

  kit.test('removeWithPrefix removes what matches and nothing beside it, in one revision', async (kv) => {
    await kv.multiSave({ a: '1', 'a/b': '2', ab: '3', b: '4' })
    const before = (await kv.loadWithPrefix('')).revision
    assert.equal(await kv.removeWithPrefix('a/'), before + 1n)
    assert.deepEqual((await kv.loadWithPrefix('')).keys, ['a', 'ab', 'b'])
    assert.equal(await kv.removeWithPrefix('a'), before + 2n)
    assert.equal(await kv.removeWithPrefix(''), before + 3n)
    assert.deepEqual((await kv.loadWithPrefix('')).keys, [])
  })

  kit.test('removeWithPrefix takes its place among concurrent writes', async (kv) => {
    const before = kv.save('p/before', '1')
    const removed = kv.removeWithPrefix('p/')
    const after = kv.save('p/after', '1')
    const [first, middle, last] = await Promise.all([before, removed, after])
    const expected = [...(first > middle ? ['p/before'] : []), ...(last > middle ? ['p/after'] : [])].sort()
    assert.deepEqual((await kv.loadWithPrefix('p/')).keys, expected)
  })
}
