import assert from 'node:assert/strict'
import { type Kit, rejectsWith } from './kit.ts'

export function bytesTests(kit: Kit): void {
  kit.test('bytes is the same store: text is its UTF-8', async (kv) => {
    await kv.save('k', 'é\u{1F600}')
    assert.deepEqual([...(await kv.bytes.load('k') ?? [])], [0xc3, 0xa9, 0xf0, 0x9f, 0x98, 0x80])
    await kv.bytes.save('b', new Uint8Array([0x68, 0x69]))
    assert.equal(await kv.load('b'), 'hi')
    await kv.bytes.save('mark', new Uint8Array([0xef, 0xbb, 0xbf, 0x61]))
    assert.equal(await kv.load('mark'), '\uFEFFa', 'no mark is swallowed')
    assert.equal(await kv.bytes.bytes.has('k'), true)
  })

  kit.test('any bytes round-trip, the empty ones too', async (kv) => {
    const every = Uint8Array.from({ length: 256 }, (_, index) => index)
    await kv.bytes.multiSave([['every', every], ['empty', new Uint8Array()]])
    assert.deepEqual(Uint8Array.from(await kv.bytes.load('every') ?? []), every)
    assert.equal((await kv.bytes.load('empty'))?.length, 0)
    const page = await kv.bytes.loadWithPrefix('')
    assert.deepEqual(page.values.map((value) => value.length), [0, 256])
  })

  kit.test('what is not UTF-8 cannot be read as text', async (kv) => {
    await kv.bytes.save('k', new Uint8Array([0xff, 0xfe]))
    await rejectsWith(kv.load('k'), 'KV_CORRUPT')
    await rejectsWith(kv.loadWithPrefix(''), 'KV_CORRUPT')
    assert.equal(await kv.has('k'), true)
    assert.deepEqual([...(await kv.bytes.load('k') ?? [])], [0xff, 0xfe])
  })

  kit.test('bytes given to the store can be reused by the caller at once', async (kv) => {
    const mine = new Uint8Array([1, 2, 3])
    const saving = [kv.bytes.save('a', mine), kv.bytes.multiSave([['b', mine]]), kv.bytes.compareAndSave('c', 0n, mine)]
    mine.fill(9)
    await Promise.all(saving)
    for (const key of ['a', 'b', 'c']) assert.deepEqual([...(await kv.bytes.load(key) ?? [])], [1, 2, 3], key)
  })

  kit.test('bytes got from the store can be changed by the caller', async (kv) => {
    await kv.bytes.save('a', new Uint8Array([1, 2, 3]));
    (await kv.bytes.load('a'))?.fill(9);
    (await kv.bytes.loadEntry('a'))?.value.fill(9);
    (await kv.bytes.multiLoad(['a']))[0]?.fill(9);
    (await kv.bytes.loadWithPrefix('a')).values[0]?.fill(9)
    assert.deepEqual([...(await kv.bytes.load('a') ?? [])], [1, 2, 3])
  })

  kit.test('values read earlier stay as they were', async (kv) => {
    await kv.bytes.save('a', new Uint8Array([1, 2, 3]))
    await kv.save('t', 'old')
    const [bytes, page] = await Promise.all([kv.bytes.load('a'), kv.loadWithPrefix('t')])
    await kv.bytes.save('a', new Uint8Array([7, 7, 7]))
    await kv.save('t', 'new')
    await kv.bytes.load('a')
    assert.deepEqual([...(bytes ?? [])], [1, 2, 3])
    assert.deepEqual(page.values, ['old'])
  })

  kit.test('a Buffer that looks into a bigger one is saved as what it shows', async (kv) => {
    const big = Buffer.from('0123456789')
    await kv.bytes.save('k', big.subarray(3, 6))
    assert.equal(await kv.load('k'), '345')
  })

  kit.test('watches on bytes hand out copies', async (kv) => {
    if (!kv.features.watch) return
    const one = kv.bytes.watch('k')
    const two = kv.bytes.watch('k')
    await Promise.all([one.ready, two.ready])
    await kv.bytes.save('k', new Uint8Array([1, 2]))
    const [first] = (await kit.next(one)).events
    if (first?.type === 'put') first.value.fill(9)
    const [second] = (await kit.next(two)).events
    assert.deepEqual(second?.type === 'put' ? [...second.value] : [], [1, 2])
    assert.deepEqual([...(await kv.bytes.load('k') ?? [])], [1, 2])
    await Promise.all([one.return?.(), two.return?.()])
  })
}
