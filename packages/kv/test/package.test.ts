import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, expect, it, vi } from 'vitest'
import { isKVError } from '../src/index.ts'
import { freshFolders } from './folders.edge.ts'

const fresh = freshFolders()
const source = join(import.meta.dirname, '..', 'src')

afterEach(() => {
  vi.doUnmock('lmdb')
  vi.resetModules()
})

it('says how to get a missing driver, and leaves the folder unlocked', async () => {
  vi.doMock('lmdb', () => {
    throw new Error('Cannot find package lmdb')
  })
  const { openLmdbKV } = await import('../src/lmdb.ts')
  const path = await fresh()
  for (let round = 0; round < 2; round++) {
    await expect(openLmdbKV({ path })).rejects.toSatisfy((error) => isKVError(error, 'KV_DRIVER_MISSING') && error.message.includes('npm install lmdb'))
  }
})

it('names the driver in one file only, so that no declaration can show its types', async () => {
  const files = (await readdir(source, { recursive: true })).filter((name) => name.endsWith('.ts'))
  const naming: string[] = []
  for (const file of files) if (/import\(?[^\n]*'lmdb'/.test(await readFile(join(source, file), 'utf8'))) naming.push(file)
  expect(naming).toEqual([join('lmdb', 'database.ts')])
})
