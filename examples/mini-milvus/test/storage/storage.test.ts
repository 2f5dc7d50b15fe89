import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { afterEach, describe, expect, test } from 'vitest'
import { createMemoryStorage, type ObjectStorage, openFolderStorage, sharedFileSystem } from '../../src/storage/index.ts'
import { hasServices } from '../stores/services.edge.ts'
import { faultyFileSystem } from './faulty-fs.ts'
import { cachedStorage, createMemoryRemote } from './remotes.ts'
import { openTestS3 } from './test-s3.ts'

const folders: string[] = []

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'storage-test-'))
  folders.push(path)
  return path
}

afterEach(async () => {
  for (const path of folders.splice(0)) await rm(path, { recursive: true, force: true })
})

const kinds: [string, () => Promise<ObjectStorage>][] = [
  ['folder', async () => openFolderStorage({ path: join(await folder(), 'new', 'deep') })],
  ['shared', async () => openFolderStorage({ path: join(await folder(), 'new', 'deep'), fs: sharedFileSystem })],
  ['memory', async () => createMemoryStorage()],
  ['cached', async () => cachedStorage(createMemoryRemote(), await folder())],
  ...(hasServices('s3') ? [['S3', async () => cachedStorage(await openTestS3(), await folder())] as [string, () => Promise<ObjectStorage>]] : []),
]

describe.each(kinds)('%s storage', (_, open) => {
  test('gives back what was put, whole and in parts', async () => {
    const storage = await open()
    await storage.put('a/b/one', Uint8Array.of(1, 2, 3, 4))
    await storage.put('a/two', [Uint8Array.of(5), new Uint8Array(), Uint8Array.of(6, 7)])
    await storage.put('empty', [])
    expect([...(await storage.get('a/b/one'))]).toEqual([1, 2, 3, 4])
    expect([...(await storage.get('a/b/one', { offset: 1, length: 2 }))]).toEqual([2, 3])
    expect([...(await storage.get('a/two'))]).toEqual([5, 6, 7])
    expect(await storage.get('empty')).toHaveLength(0)
    const shared = new Uint8Array(new SharedArrayBuffer(3))
    await storage.readInto('a/b/one', shared, 1)
    expect([...shared]).toEqual([2, 3, 4])
    expect(await storage.size('a/two')).toBe(3)
    await storage.put('a/two', Uint8Array.of(9))
    expect([...(await storage.get('a/two'))]).toEqual([9])
    await storage.close()
  })

  test('lists by prefix in order and deletes', async () => {
    const storage = await open()
    for (const key of ['x/1/a', 'x/10/a', 'x/2', 'y']) await storage.put(key, Uint8Array.of(1))
    expect(await storage.list('')).toEqual(['x/1/a', 'x/10/a', 'x/2', 'y'].map((key) => ({ key, bytes: 1 })))
    expect((await storage.list('x/1')).map(({ key }) => key)).toEqual(['x/1/a', 'x/10/a'])
    expect((await storage.list('x/1/')).map(({ key }) => key)).toEqual(['x/1/a'])
    expect(await storage.list('nothing/here/')).toEqual([])
    await storage.delete('y')
    await storage.delete('y')
    await storage.deletePrefix('x/1/')
    expect(await storage.exists('x/1/a')).toBe(false)
    expect((await storage.list('')).map(({ key }) => key)).toEqual(['x/10/a', 'x/2'])
    await storage.put('x/1/a', Uint8Array.of(1))
    await storage.deletePrefix('')
    expect(await storage.list('')).toEqual([])
    await storage.close()
  })

  test('adopts a file that a library wrote', async () => {
    const storage = await open()
    const path = await storage.temporaryPath()
    await writeFile(path, 'index')
    await storage.adopt(path, 'i/1')
    expect(Buffer.from(await storage.get('i/1')).toString()).toBe('index')
    const file = await storage.openFile('i/1', { bytes: 5, crc32: crc32('index') })
    expect(await readFile(file.path, 'utf8')).toBe('index')
    file.release()
    file.release()
    expect(await storage.list('i/')).toEqual([{ key: 'i/1', bytes: 5 }])
    await storage.delete('i/1')
    expect(await storage.exists('i/1')).toBe(false)
    await expect(storage.adopt(await storage.temporaryPath(), 'i/2')).rejects.toMatchObject({ code: 'STORAGE_NOT_FOUND' })
    await storage.close()
  })

  test('refuses keys that leave the root or that a file system cannot hold', async () => {
    const storage = await open()
    for (const key of ['', '/etc/passwd', '../x', 'a/../b', 'a//b', 'a/', '.tmp/x', 'a\0b', 'a\\b', 'C:x', '\ud800', 'x'.repeat(2000)]) {
      await expect(storage.put(key, Uint8Array.of(1))).rejects.toBeInstanceOf(RangeError)
      await expect(storage.get(key)).rejects.toBeInstanceOf(RangeError)
    }
    for (const prefix of ['/', '../', 'a//b', '.tmp']) await expect(storage.list(prefix)).rejects.toBeInstanceOf(RangeError)
    await expect(storage.get('a', { offset: -1, length: 2 })).rejects.toBeInstanceOf(RangeError)
    await storage.close()
  })

  test('says what is missing, short or closed', async () => {
    const storage = await open()
    await storage.put('a', Uint8Array.of(1))
    await expect(storage.get('b')).rejects.toMatchObject({ code: 'STORAGE_NOT_FOUND' })
    await expect(storage.size('a/b')).rejects.toMatchObject({ code: 'STORAGE_NOT_FOUND' })
    await expect(storage.get('a', { offset: 0, length: 2 })).rejects.toMatchObject({ code: 'STORAGE_CORRUPT' })
    await storage.close()
    await storage.close()
    await expect(storage.put('a', Uint8Array.of(1))).rejects.toMatchObject({ code: 'STORAGE_CLOSED', outcome: 'not-applied' })
    await expect(storage.get('a')).rejects.toMatchObject({ code: 'STORAGE_CLOSED' })
  })
})

describe('folder storage', () => {
  test('syncs the file before its name and every new folder in its parent', async () => {
    const path = await folder()
    const fs = faultyFileSystem()
    const storage = await openFolderStorage({ path, fs })
    fs.calls.length = 0
    await storage.put('a/b', Uint8Array.of(1))
    expect(fs.calls).toEqual(['open create', 'write', 'datasync', 'mkdir', `sync ${path}`, 'rename', `sync ${join(path, 'a')}`])
  })

  test('goes on after short reads and writes', async () => {
    const storage = await openFolderStorage({ path: await folder(), fs: faultyFileSystem({ shortWrites: true }) })
    const bytes = Uint8Array.from({ length: 1000 }, (_, i) => i)
    await storage.put('a', [bytes, bytes])
    expect(Buffer.from(await storage.get('a')).equals(Buffer.concat([bytes, bytes]))).toBe(true)
  })

  test('whatever call fails: the old object or the new one, whole, and nothing left over', async () => {
    let failed = 0
    for (let failAt = 1; ; failAt++) {
      const path = await folder()
      const first = await openFolderStorage({ path })
      await first.put('x/a', Uint8Array.of(1))
      const fs = faultyFileSystem({ failAt })
      const outcome = await openFolderStorage({ path, fs }).then(
        (storage) =>
          storage.put('x/a', Uint8Array.of(2, 2)).then(
            () => 'stored',
            (error: { code: string }) => error.code,
          ),
        () => 'not opened',
      )
      const content = [...(await first.get('x/a'))]
      expect([[1], [2, 2]]).toContainEqual(content)
      if (outcome === 'stored') expect(content).toEqual([2, 2])
      else failed++
      expect(await readdir(join(path, '.tmp'))).toEqual([])
      if (fs.calls.length < failAt) break
    }
    expect(failed).toBeGreaterThan(5)
  })

  test('a failed sync fails the storage for good; a full disk does not', async () => {
    const path = await folder()
    const calls = faultyFileSystem()
    const probe = await openFolderStorage({ path, fs: calls })
    const opening = calls.calls.length
    await probe.put('a', Uint8Array.of(1))
    const at = (name: string) => opening + calls.calls.slice(opening).indexOf(name) + 1
    const broken = await openFolderStorage({ path, fs: faultyFileSystem({ failAt: at('datasync') }) })
    await expect(broken.put('a', Uint8Array.of(2))).rejects.toMatchObject({ code: 'STORAGE_FAILED', outcome: 'unknown' })
    await expect(broken.put('b', Uint8Array.of(2))).rejects.toMatchObject({ code: 'STORAGE_FAILED', outcome: 'not-applied' })
    expect([...(await broken.get('a'))]).toEqual([1])
    const full = await openFolderStorage({ path, fs: faultyFileSystem({ failAt: at('write'), code: 'ENOSPC' }) })
    await expect(full.put('a', Uint8Array.of(2))).rejects.toMatchObject({ code: 'STORAGE_FULL', retryable: true, outcome: 'not-applied' })
    await full.put('a', Uint8Array.of(3))
    expect([...(await full.get('a'))]).toEqual([3])
  })

  test('sweeps what dead processes left and leaves what the living write', async () => {
    const path = await folder()
    const living = await openFolderStorage({ path })
    const temporary = await living.temporaryPath()
    await writeFile(temporary, 'half')
    await writeFile(join(path, '.tmp', `${process.pid}-before-0-0`), 'left')
    await writeFile(join(path, '.tmp', '4194303999-x-0-0'), 'left')
    await openFolderStorage({ path })
    expect(await readdir(join(path, '.tmp'))).toEqual([temporary.split(/[\\/]/).at(-1)])
  })
})
