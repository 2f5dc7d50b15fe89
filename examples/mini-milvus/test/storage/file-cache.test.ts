/** Copies of remote objects on this machine: bounded, checked, kept while in use, and never half a file. */
import { access, mkdir, mkdtemp, readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import { afterEach, describe, expect, test } from 'vitest'
import { nodeFileSystem, type FileSystem, type ObjectSum } from '../../src/storage/index.ts'
import { nameOfKey } from '../../src/storage/index.ts'
import { openFileCache, type FileCache } from '../../src/storage/file-cache.ts'
import { seededRandom } from '../e2e/support.ts'
import { cachedStorage, createMemoryRemote } from './remotes.ts'

const folders: string[] = []
async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'cache-test-'))
  folders.push(path)
  return path
}
afterEach(async () => {
  for (const path of folders.splice(0)) await rm(path, { recursive: true, force: true })
})

const open = (path: string, maxBytes = 1000, fs: FileSystem = nodeFileSystem): Promise<FileCache> => openFileCache({ path, maxBytes, fs, nameOf: nameOfKey })
const bytesOf = (key: string, length = 100): Uint8Array => new Uint8Array(length).fill(key.codePointAt(0) ?? 0)
const sumOf = (bytes: Uint8Array): ObjectSum => ({ bytes: bytes.length, crc32: crc32(bytes) })
const exists = (path: string): Promise<boolean> => access(path).then(() => true, () => false)

/** Uses an object and counts fetches. */
function user(cache: FileCache): { readonly fetched: string[]; use(key: string, length?: number): Promise<{ path: string; release(): void }> } {
  const fetched: string[] = []
  return {
    fetched,
    use: (key, length) =>
      cache.use(key, sumOf(bytesOf(key, length)), async (path) => {
        fetched.push(key)
        await writeFile(path, bytesOf(key, length))
      }),
  }
}

describe('the cache of files', () => {
  test('fetches once for all who wait, and not again', async () => {
    const { use, fetched } = user(await open(await folder()))
    const files = await Promise.all(Array.from({ length: 20 }, () => use('a')))
    expect(fetched).toEqual(['a'])
    expect(new Set(files.map(({ path }) => path)).size).toBe(1)
    expect([...(await readFile(files[0]?.path ?? ''))]).toEqual([...bytesOf('a')])
  })

  test('the one that was not used for longest goes; what is in use stays, also beyond the limit', async () => {
    const cache = await open(await folder(), 300)
    const { use, fetched } = user(cache)
    const pinned = await use('a')
    for (const key of ['b', 'c', 'b', 'd', 'e']) (await use(key)).release()
    expect(cache.bytes).toBeLessThanOrEqual(300)
    expect(fetched).toEqual(['a', 'b', 'c', 'd', 'e'])
    ;(await use('c')).release()
    expect(fetched.at(-1)).toBe('c')
    const others = await Promise.all(['x', 'y', 'z'].map((key) => use(key)))
    expect(cache.bytes).toBe(400)
    for (const file of [pinned, ...others]) expect(await exists(file.path)).toBe(true)
    for (const file of [pinned, ...others]) file.release()
    ;(await use('q')).release()
    expect(cache.bytes).toBeLessThanOrEqual(300)
  })

  test('a copy larger than the limit is there as long as it is used', async () => {
    const cache = await open(await folder(), 50)
    const { use } = user(cache)
    const large = await use('l', 400)
    expect((await readFile(large.path)).length).toBe(400)
    large.release()
    ;(await use('s', 10)).release()
    expect(cache.bytes).toBe(10)
    expect(await exists(large.path)).toBe(false)
  })

  test('an object that was replaced is fetched again; who maps the old file keeps it', async () => {
    const cache = await open(await folder())
    const { use, fetched } = user(cache)
    const before = await use('a', 10)
    const after = await use('a', 20)
    expect(fetched).toEqual(['a', 'a'])
    expect((await readFile(before.path)).length).toBe(10)
    expect((await readFile(after.path)).length).toBe(20)
    before.release()
    await expect.poll(() => exists(before.path)).toBe(false)
    expect(await exists(after.path)).toBe(true)
  })

  test('what comes with another checksum or length is no copy', async () => {
    const path = await folder()
    const cache = await open(path)
    const wrong = async (target: string): Promise<void> => writeFile(target, 'short')
    await expect(cache.use('a', sumOf(bytesOf('a')), wrong)).rejects.toMatchObject({ code: 'STORAGE_CORRUPT', retryable: false })
    expect(cache.bytes).toBe(0)
    const [own = ''] = await readdir(path)
    expect(await readdir(join(path, own))).toEqual([])
    expect((await user(cache).use('a')).path).toEqual(expect.any(String))
  })

  test('a failed fetch fails for all who waited for it alone, and leaves nothing', async () => {
    const path = await folder()
    const cache = await open(path)
    let fail: (error: Error) => void = () => undefined
    const failing = cache.use('a', sumOf(bytesOf('a')), (target) => writeFile(target, 'half').then(() => new Promise((_, reject) => (fail = reject))))
    const waiting = user(cache).use('a')
    await expect.poll(() => fail.length).toBe(1)
    fail(new Error('broken off'))
    await expect(failing).rejects.toThrow('broken off')
    expect((await readFile((await waiting).path)).length).toBe(100)
    const [own = ''] = await readdir(path)
    expect(await readdir(join(path, own))).toHaveLength(1)
  })

  test('the next start takes the copies over, but none that is damaged, cut short or half fetched', async () => {
    const path = await folder()
    const first = await open(path)
    const before = user(first)
    const files = new Map<string, string>()
    for (const key of ['a', 'b', 'c', 'd']) files.set(key, (await before.use(key)).path)
    const at = (key: string): string => files.get(key) ?? ''
    const flipped = await readFile(at('b'))
    flipped[50] = 0
    await writeFile(at('b'), flipped)
    await truncate(at('c'), 99)
    await writeFile(join(at('a'), '..', 'new-7'), 'half')
    // Its process has died.
    const [own = ''] = await readdir(path)
    await rename(join(path, own), join(path, '4194303999-x-0'))
    await mkdir(join(path, '4194303998-x-0'))
    await writeFile(join(path, '4194303998-x-0', 'left'), 'left')
    const cache = await open(path)
    const { use, fetched } = user(cache)
    for (const key of ['a', 'b', 'c', 'd']) expect([...(await readFile((await use(key)).path))]).toEqual([...bytesOf(key)])
    expect(fetched).toEqual(['b', 'c'])
    expect(await readdir(path)).toHaveLength(1)
    expect(await readdir(join(path, (await readdir(path))[0] ?? ''))).toHaveLength(4)
  })

  test('processes on one machine have a folder each; a closed one is taken over', async () => {
    const path = await folder()
    const one = await open(path)
    await user(one).use('a')
    const two = await open(path)
    const second = user(two)
    await second.use('a')
    expect(second.fetched).toEqual(['a'])
    expect(await readdir(path)).toHaveLength(2)
    await one.close()
    const three = user(await open(path))
    await three.use('a')
    expect(three.fetched).toEqual([])
  })

  test('a full disk is made free of what is not in use', async () => {
    const cache = await open(await folder(), 10_000)
    const { use } = user(cache)
    for (const key of ['a', 'b', 'c']) (await use(key)).release()
    let tries = 0
    const file = await cache.use('x', sumOf(bytesOf('x')), async (path) => {
      if (tries++ === 0) throw Object.assign(new Error('no space'), { code: 'ENOSPC' })
      await writeFile(path, bytesOf('x'))
    })
    expect(await exists(file.path)).toBe(true)
    expect(cache.bytes).toBe(100)
    await expect(
      cache.use('y', sumOf(bytesOf('y')), async () => {
        throw Object.assign(new Error('no space'), { code: 'ENOSPC' })
      }),
    ).rejects.toMatchObject({ code: 'ENOSPC' })
  })

  test('whatever is used, replaced and let go in any order: right bytes, and the limit holds once nothing is in use', async () => {
    const seed = Number(process.env['SEED'] ?? 11)
    const random = seededRandom(seed)
    const cache = await open(await folder(), 500)
    const held: { path: string; release(): void; length: number }[] = []
    const worker = async (): Promise<void> => {
      for (let step = 0; step < 150; step++) {
        const key = 'abcdefgh'[Math.floor(random() * 8)] ?? 'a'
        const length = 60 + Math.floor(random() * 2) * 30
        if (random() < 0.1) cache.forget(key)
        const file = await user(cache).use(key, length)
        const bytes = await readFile(file.path)
        expect(bytes.equals(Buffer.from(bytesOf(key, length))), `seed ${seed}`).toBe(true)
        held.push({ ...file, length })
        while (held.length > 3) held.splice(Math.floor(random() * held.length), 1)[0]?.release()
      }
    }
    await Promise.all([worker(), worker(), worker(), worker()])
    for (const file of held) file.release()
    ;(await user(cache).use('z')).release()
    expect(cache.bytes, `seed ${seed}`).toBeLessThanOrEqual(500)
  })
})

describe('storage with a cache', () => {
  test('reads of known objects and files of indexes come from one copy; what was adopted is there at once', async () => {
    const remote = createMemoryRemote()
    const storage = await cachedStorage(remote, await folder())
    const bytes = bytesOf('s', 5000)
    await storage.put('seg/1', [bytes.subarray(0, 1000), bytes.subarray(1000)])
    const target = new Uint8Array(new SharedArrayBuffer(5000))
    for (let round = 0; round < 3; round++) await storage.readInto('seg/1', target, 0, sumOf(bytes))
    expect([...target]).toEqual([...bytes])
    const file = await storage.openFile('seg/1', sumOf(bytes))
    expect((await readFile(file.path)).equals(bytes)).toBe(true)
    file.release()
    expect(remote.calls).toEqual(['put seg/1', 'read seg/1'])
    const path = await storage.temporaryPath()
    await writeFile(path, 'index')
    await storage.adopt(path, 'seg/1/index')
    const index = await storage.openFile('seg/1/index', sumOf(Buffer.from('index')))
    expect(await readFile(index.path, 'utf8')).toBe('index')
    expect(remote.calls).toEqual(['put seg/1', 'read seg/1', 'put seg/1/index'])
    expect([...(remote.objects.get('seg/1/index') ?? [])]).toEqual([...Buffer.from('index')])
    await storage.close()
  })

  test('the metadata decides: a damaged object is told, one that is gone too', async () => {
    const remote = createMemoryRemote()
    const storage = await cachedStorage(remote, await folder())
    await storage.put('a', bytesOf('a'))
    const sum = sumOf(bytesOf('a'))
    ;(await storage.openFile('a', sum)).release()
    remote.objects.set('b', bytesOf('x'))
    await expect(storage.openFile('b', sumOf(bytesOf('b')))).rejects.toMatchObject({ code: 'STORAGE_CORRUPT' })
    await expect(storage.readInto('b', new Uint8Array(100), 0, sumOf(bytesOf('b')))).rejects.toMatchObject({ code: 'STORAGE_CORRUPT' })
    await storage.delete('a')
    await expect(storage.openFile('a', sum)).rejects.toMatchObject({ code: 'STORAGE_NOT_FOUND' })
    await storage.close()
    await expect(storage.openFile('a', sum)).rejects.toMatchObject({ code: 'STORAGE_CLOSED' })
  })

  test('a file that is none of its own is not adopted', async () => {
    const path = await folder()
    const storage = await cachedStorage(createMemoryRemote(), path)
    await writeFile(join(path, 'x'), 'x')
    await expect(storage.adopt(join(path, 'x'), 'a')).rejects.toBeInstanceOf(RangeError)
    await storage.close()
  })
})
