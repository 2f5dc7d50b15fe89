/** Bytes that change on the disk while nobody has the store open. */
import { cp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { isKVError } from '../src/index.ts'
import { openLmdbKV } from '../src/lmdb.ts'
import { freshFolders } from './folders.edge.ts'

const fresh = freshFolders()
const seed = Number(process.env['SEED'] ?? 4)

async function closedStore(): Promise<string> {
  const path = await fresh()
  const kv = await openLmdbKV({ path })
  for (let round = 0; round < 4; round++) await kv.multiSave(new Map(Array.from({ length: 100 }, (_, i) => [`key/${i}`, `value ${round} of ${i}`.repeat(4)])))
  await kv.close()
  return path
}

async function refused(path: string): Promise<string> {
  const kv = await openLmdbKV({ path }).catch((error: unknown) => error)
  if (isKVError(kv, 'KV_CORRUPT')) return kv.message
  throw new Error('it was opened')
}

it(`a bit that flipped in any block of the data file is named, and what to do (seed ${seed})`, async () => {
  const path = await closedStore()
  const file = join(path, 'data.mdb')
  const good = await readFile(file)
  let random = seed
  for (let block = 0; block * 4096 < good.length; block++) {
    random = (Math.imul(random, 1_103_515_245) + 12_345) >>> 0
    const bytes = Buffer.from(good)
    const at = block * 4096 + ((random >>> 8) % 4096)
    bytes[at] = (bytes[at] ?? 0) ^ (1 << (random % 8))
    await writeFile(file, bytes)
    const message = await refused(path)
    expect(message).toContain(file)
    expect(message).toContain(`in the bytes ${block * 4096} to ${block * 4096 + 4095}`)
    expect(message).toContain('restore it from a backup, or remove')
  }
  // Refusing changed nothing.
  await writeFile(file, good)
  const kv = await openLmdbKV({ path })
  expect(await kv.load('key/7')).toBe('value 3 of 7'.repeat(4))
  await kv.close()
})

it('a data file that is shorter, longer, empty or gone is named', async () => {
  const path = await closedStore()
  const file = join(path, 'data.mdb')
  const good = await readFile(file)
  for (const bytes of [0, 4096, good.length - 1, good.length + 1]) {
    await writeFile(file, good)
    await truncate(file, bytes)
    expect(await refused(path)).toContain(`${file} has ${bytes} bytes, but had ${good.length}`)
  }
  await rm(file)
  expect(await refused(path)).toContain(`${file} has no bytes`)
})

it('sums that are damaged themselves, or of a lock file, keep nobody out', async () => {
  const path = await closedStore()
  for (const name of ['data.sums', 'lock.mdb']) {
    const good = await readFile(join(path, name))
    for (const damage of ['zero', 'cut', 'flip'] as const) {
      const copy = join(await fresh(), 'copy')
      await cp(path, copy, { recursive: true })
      const bytes = Buffer.from(good)
      const at = bytes.length >> 1
      if (damage === 'zero') bytes.fill(0)
      else bytes[at] = (bytes[at] ?? 0) ^ 4
      await writeFile(join(copy, name), damage === 'cut' ? good.subarray(0, at) : bytes)
      const kv = await openLmdbKV({ path: copy })
      expect([name, damage, await kv.load('key/99')]).toEqual([name, damage, 'value 3 of 99'.repeat(4)])
      await kv.close()
    }
  }
})

it('the sums are there while the store is closed, and only then', async () => {
  const path = await closedStore()
  const has = async (): Promise<boolean> => (await readdir(path)).includes('data.sums')
  expect(await has()).toBe(true)
  const kv = await openLmdbKV({ path })
  expect(await has()).toBe(false)
  await kv.save('a', '1')
  // As a process that was killed leaves it.
  const copy = join(await fresh(), 'copy')
  await cp(path, copy, { recursive: true, filter: (name) => !name.endsWith('.sock') })
  await kv.close()
  expect(await has()).toBe(true)
  const after = await openLmdbKV({ path: copy })
  expect(await after.load('a')).toBe('1')
  await after.close()
  expect((await readdir(path)).filter((name) => name.endsWith('.new'))).toEqual([])
})

it('stores with later syncs, and with readers, are closed as they will be found', async () => {
  const path = await fresh()
  for (let round = 0; round < 5; round++) {
    const kv = await openLmdbKV({ path, sync: 'interval' })
    const reader = await openLmdbKV({ path, readOnly: true }).catch(() => undefined)
    await Promise.all(Array.from({ length: 50 }, (_, i) => kv.save(`k${i}`, `${round}`)))
    expect(await reader?.load('k3') ?? `${round}`).toBe(`${round}`)
    await kv.close()
    await reader?.close()
  }
  expect((await stat(join(path, 'data.sums'))).size).toBeGreaterThan(20)
})
