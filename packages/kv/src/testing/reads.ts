import assert from 'node:assert/strict'
import type { Kit } from './kit.ts'

export function readTests(kit: Kit): void {
  kit.test('load, loadEntry and has of a missing key', async (kv) => {
    assert.equal(await kv.load('none'), undefined)
    assert.equal(await kv.loadEntry('none'), undefined)
    assert.equal(await kv.has('none'), false)
  })

  kit.test('what was saved is loaded, also the empty string and any well-formed text', async (kv) => {
    for (const value of ['', 'x', 'é', '\u{1F600}', '\0', '\uFEFFmark', 'line\nline', 'v'.repeat(100_000)]) {
      const revision = await kv.save('k', value)
      assert.equal(await kv.load('k'), value)
      assert.deepEqual(await kv.loadEntry('k'), { key: 'k', value, modRevision: revision })
      assert.equal(await kv.has('k'), true)
    }
  })

  kit.test('any well-formed text is a key, names of Object.prototype too', async (kv) => {
    const keys = ['__proto__', 'constructor', ' ', '\0', '/', '//', '../up', '.', 'é', '\u{1F600}', '\uFFFD', '\uFEFF', 'a b', '%', '*', '[a]', '?']
    for (const key of keys) await kv.save(key, `of ${key}`)
    for (const key of keys) assert.equal(await kv.load(key), `of ${key}`, JSON.stringify(key))
    assert.equal((await kv.loadWithPrefix('')).keys.length, keys.length)
    assert.deepEqual(await kv.multiLoad(keys), keys.map((key) => `of ${key}`))
  })

  kit.test('NFC and NFD are different keys', async (kv) => {
    await kv.save('\u00e9', 'composed')
    assert.equal(await kv.has('e\u0301'), false)
  })

  kit.test('multiLoad is positional, with undefined for what is missing and duplicates answered twice', async (kv) => {
    await kv.multiSave({ a: '1', b: '2' })
    assert.deepEqual(await kv.multiLoad(['b', 'none', 'a', 'b']), ['2', undefined, '1', '2'])
    assert.deepEqual(await kv.multiLoad([]), [])
  })

  kit.test('multiLoad leaves the list of the caller as it was', async (kv) => {
    const keys = Object.freeze(['a', 'b'])
    await kv.multiLoad(keys)
    await kv.multiRemove(keys)
    assert.deepEqual(keys, ['a', 'b'])
  })

  kit.test('multiLoad and loadWithPrefix see whole transactions', async (kv) => {
    await kv.multiSave({ 'p/a': '0', 'p/b': '0' })
    const seen: Promise<void>[] = []
    for (let round = 1; round <= 50; round++) {
      seen.push(kv.multiSave({ 'p/a': String(round), 'p/b': String(round) }).then(() => undefined))
      seen.push(kv.multiLoad(['p/a', 'p/b']).then(([a, b]) => assert.equal(a, b)))
      seen.push(kv.loadWithPrefix('p/').then(({ values }) => assert.equal(values[0], values[1])))
    }
    await Promise.all(seen)
  })

  kit.test('a read that starts after a write has ended sees it', async (kv) => {
    for (let round = 0; round < 30; round++) {
      const value = String(round)
      const revision = await kv.save('k', value)
      const [loaded, page] = await Promise.all([kv.load('k'), kv.loadWithPrefix('k')])
      assert.equal(loaded, value)
      assert.deepEqual(page.values, [value])
      assert.ok(page.revision >= revision, 'the page is at least as new as the write')
    }
  })
}
