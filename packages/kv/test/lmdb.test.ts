import { mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { open } from 'lmdb'
import { describe, expect, it } from 'vitest'
import { isKVError, type KVErrorCode } from '../src/index.ts'
import { openLmdbKV } from '../src/lmdb.ts'
import { ManualClock } from './manual-clock.ts'
import { freshFolders } from './folders.edge.ts'

const fresh = freshFolders()
const code = (expected: KVErrorCode) => (error: unknown) => isKVError(error, expected)

describe('openLmdbKV', () => {
  it('refuses bad options', async () => {
    const bad = (options: unknown): Promise<unknown> => openLmdbKV(options as never)
    for (const options of [undefined, null, 1, {}, { path: 1 }]) await expect(bad(options)).rejects.toThrow(TypeError)
    for (const path of ['', 'a\0b']) await expect(bad({ path })).rejects.toThrow(RangeError)
    const path = await fresh()
    await expect(bad({ path, sync: 'never' })).rejects.toThrow(TypeError)
    await expect(bad({ path, rootPath: '\ud800' })).rejects.toThrow(TypeError)
    await expect(bad({ path, rootPath: 'x'.repeat(600) })).rejects.toThrow(RangeError)
    await expect(bad({ path, maxHistory: -1 })).rejects.toThrow(RangeError)
    await expect(bad({ path, mapSizeBytes: 1 })).rejects.toThrow(RangeError)
  })

  it('makes missing folders, and finds the same store behind a link', async () => {
    const folder = await fresh()
    const path = join(folder, 'deep', 'er')
    const kv = await openLmdbKV({ path })
    await symlink(path, join(folder, 'link'))
    await expect(openLmdbKV({ path: join(folder, 'link') })).rejects.toSatisfy(code('KV_LOCKED'))
    await kv.close()
  })

  it('works in a folder whose name is longer than the address of a socket', async () => {
    const path = join(await fresh(), 'n'.repeat(120), 'm'.repeat(120))
    const kv = await openLmdbKV({ path })
    await kv.save('a', '1')
    await expect(openLmdbKV({ path })).rejects.toSatisfy(code('KV_LOCKED'))
    await kv.close()
    const again = await openLmdbKV({ path })
    expect(await again.load('a')).toBe('1')
    await again.close()
  })

  it('refuses what is not a store, and leaves no lock behind', async () => {
    const garbage = await fresh()
    for (const size of [100, 8192, 200_000]) {
      await writeFile(join(garbage, 'data.mdb'), Buffer.alloc(size, 7))
      await expect(openLmdbKV({ path: garbage })).rejects.toSatisfy(code('KV_CORRUPT'))
    }
    const foreign = await fresh()
    const other = open({ path: foreign, noSubdir: false })
    await other.put('a', 1)
    await other.close()
    await expect(openLmdbKV({ path: foreign })).rejects.toSatisfy(code('KV_CORRUPT'))
    const file = join(await fresh(), 'file')
    await writeFile(file, '')
    await expect(openLmdbKV({ path: file })).rejects.toSatisfy(code('KV_STORAGE_FAILED'))
  })

  it('opens what a crash during the first creation left', async () => {
    for (const size of [0, 512, 8192]) {
      const path = await fresh()
      await writeFile(join(path, 'data.mdb'), Buffer.alloc(size))
      const kv = await openLmdbKV({ path })
      await kv.save('a', '1')
      await kv.close()
    }
  })

  it('refuses a newer format', async () => {
    const path = await fresh()
    await mkdir(path, { recursive: true })
    const newer = open({ path, noSubdir: false, encoding: 'string' })
    await newer.put('timetick-kv', JSON.stringify({ format: 99, storeId: 'x' }))
    await newer.close()
    await expect(openLmdbKV({ path })).rejects.toThrow('format 99')
  })

  it('keeps roots apart in one folder', async () => {
    const path = await fresh()
    for (const rootPath of ['a', 'ab', '']) {
      const kv = await openLmdbKV({ path, rootPath })
      expect((await kv.loadWithPrefix('')).keys).toEqual(rootPath === '' ? ['a/k', 'ab/k'] : [])
      if (rootPath !== '') await kv.save('k', rootPath)
      await kv.close()
    }
  })

  it('grows beyond the first map size', async () => {
    const kv = await openLmdbKV({ path: await fresh(), mapSizeBytes: 1024 * 1024 })
    const value = 'v'.repeat(100_000)
    for (let round = 0; round < 10; round++) await kv.multiSave(Array.from({ length: 10 }, (_, index): [string, string] => [`${round}/${index}`, value]))
    expect((await kv.loadWithPrefix('')).keys.length).toBe(100)
    expect(await kv.load('9/9')).toBe(value)
    await kv.close()
  })

  it('trims the log and keeps the counters right across restarts', async () => {
    const path = await fresh()
    for (let life = 0; life < 3; life++) {
      const kv = await openLmdbKV({ path, maxHistory: 20 })
      for (let round = 0; round < 50; round++) await kv.save('k', `${life}.${round}`)
      const { revision } = await kv.loadWithPrefix('')
      await expect(kv.watch('k', { from: 1n }).next()).rejects.toSatisfy(code('KV_COMPACTED'))
      const batch = await kv.watch('k', { from: revision - 10n }).next()
      expect(batch.value?.events.length).toBe(11)
      await kv.close()
    }
  })

  it('keeps no log when asked, and watches live all the same', async () => {
    const kv = await openLmdbKV({ path: await fresh(), maxHistory: 0 })
    const watch = kv.watch('k')
    await kv.save('k', '1')
    expect((await watch.next()).value?.events.length).toBe(1)
    await expect(kv.watch('k', { from: 1n }).next()).rejects.toSatisfy(code('KV_COMPACTED'))
    await kv.close()
  })

  it('ends leases that ended while it was closed, before anybody sees their keys', async () => {
    const path = await fresh()
    const clock = new ManualClock()
    const first = await openLmdbKV({ path, clock })
    await first.save('short', '1', { lease: await first.grantLease(1000) })
    await first.save('long', '1', { lease: await first.grantLease(10_000) })
    const kept = await first.grantLease(1000)
    await first.save('kept', '1', { lease: kept })
    clock.advance(900)
    await kept.keepAlive()
    await first.close()
    expect(clock.pending).toBe(0)
    clock.advance(500)
    const second = await openLmdbKV({ path, clock })
    expect((await second.loadWithPrefix('')).keys).toEqual(['kept', 'long'])
    clock.advance(600)
    await expect.poll(() => second.has('kept')).toBe(false)
    clock.advance(10_000)
    await expect.poll(() => second.has('long')).toBe(false)
    await second.close()
  })
})
