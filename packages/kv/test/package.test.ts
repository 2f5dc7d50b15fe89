import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterEach, expect, it, vi } from 'vitest'
import { isKVError } from '../src/index.ts'
import { freshFolders } from './folders.edge.ts'

const fresh = freshFolders()
const source = join(import.meta.dirname, '..', 'src')

afterEach(() => {
  for (const name of ['lmdb', 'etcd3', 'ioredis']) vi.doUnmock(name)
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

it('says how to get the drivers of servers', async () => {
  for (const name of ['etcd3', 'ioredis']) {
    vi.doMock(name, () => {
      throw new Error(`Cannot find package ${name}`)
    })
  }
  const { openEtcdKV } = await import('../src/etcd.ts')
  const { openRedisKV } = await import('../src/redis.ts')
  await expect(openEtcdKV({ hosts: 'http://127.0.0.1:1' })).rejects.toSatisfy((error) => isKVError(error, 'KV_DRIVER_MISSING') && error.message.includes('npm install etcd3'))
  await expect(openRedisKV({ url: 'redis://127.0.0.1:1' })).rejects.toSatisfy((error) => isKVError(error, 'KV_DRIVER_MISSING') && error.message.includes('npm install ioredis'))
})

it('a server that is not there is KV_UNAVAILABLE within the deadline', async () => {
  const { openEtcdKV } = await import('../src/etcd.ts')
  const { openRedisKV } = await import('../src/redis.ts')
  const isUnavailable = (error: unknown): boolean => isKVError(error, 'KV_UNAVAILABLE') && error.retryable
  await expect(openEtcdKV({ hosts: 'http://127.0.0.1:1', timeoutMs: 500 })).rejects.toSatisfy(isUnavailable)
  await expect(openRedisKV({ url: 'redis://127.0.0.1:1', timeoutMs: 500 })).rejects.toSatisfy(isUnavailable)
})

it('refuses wrong options of the servers', async () => {
  const { openEtcdKV } = await import('../src/etcd.ts')
  const { openRedisKV } = await import('../src/redis.ts')
  const wrong = (value: unknown): never => value as never
  for (const open of [openEtcdKV, openRedisKV]) {
    for (const bad of [wrong(undefined), wrong(null), {}, wrong({ hosts: 1, url: 1 }), wrong({ client: 1 }), wrong({ hosts: 'x', url: 'x', client: {} })]) {
      await expect(open(bad)).rejects.toBeInstanceOf(TypeError)
    }
    for (const bad of [{ timeoutMs: 0 }, { rootPath: 'x'.repeat(513) }, { maxWatchLagBytes: -1 }]) {
      await expect(open({ hosts: 'x', url: 'x', ...bad })).rejects.toBeInstanceOf(RangeError)
    }
  }
  await expect(openRedisKV({ url: 'redis://127.0.0.1:1', store: 'a}b' })).rejects.toBeInstanceOf(RangeError)
  await expect(openEtcdKV({ hosts: [] })).rejects.toBeInstanceOf(RangeError)
})

it('names each driver in one file only, so that no declaration can show its types', async () => {
  const files = (await readdir(source, { recursive: true })).filter((name) => name.endsWith('.ts'))
  const naming: string[] = []
  for (const file of files) if (/import\(?[^\n]*'(lmdb|etcd3|ioredis)'/.test((await readFile(join(source, file), 'utf8')).replace(/^ \*.*$/gm, ''))) naming.push(file)
  expect(naming.sort()).toEqual([join('etcd', 'driver.ts'), join('lmdb', 'database.ts'), join('redis', 'driver.ts')])
})
