/** Cluster-wide parameters on real stores. etcd and Redis where the environment names one. */
import type { KVBase } from '@timetick/kv'
import { openEtcdKV } from '@timetick/kv/etcd'
import { openLmdbKV } from '@timetick/kv/lmdb'
import { openRedisKV } from '@timetick/kv/redis'
import { describe, expect, test } from 'vitest'
import { createGlobalParamsTable, isParamError } from '../src/index.ts'
import type { ParamChanges } from '../src/index.ts'
import { openKVParams } from '../src/kv.ts'
import { valuesOf, withFolder } from './helpers.ts'
import { hasService, serviceUrl } from './services.edge.ts'

/** Two processes, of which one changes what both read. */
async function share(kv: KVBase): Promise<void> {
  await kv.removeWithPrefix('')
  await kv.multiSave({ 'config/a': '1', 'config/b': '1', 'elsewhere/c': '1' })
  const tables = [0, 1].map(() => createGlobalParamsTable({ declarations: [{ key: 'a', type: 'int' }, { key: 'b', type: 'int', deprecatedKeys: ['old'] }] }))
  const problems: unknown[] = []
  const opened = await Promise.all(tables.map((table) => openKVParams({ table, kv, onProblem: (error) => void problems.push(error) })))
  const [writer] = opened
  const [here, there] = tables
  if (writer === undefined || here === undefined || there === undefined) throw new Error('two of each')
  expect(valuesOf(there)).toEqual({ a: '1', b: '1' })

  const batches: ParamChanges[] = []
  there.watch({ prefix: '' }, (batch) => void batches.push(batch))
  await writer.alter({ A: '2', old: '2', b: undefined })
  expect(valuesOf(here)).toEqual({ a: '2', b: '2' })
  await expect.poll(() => valuesOf(there), { timeout: 20_000 }).toEqual({ a: '2', b: '2' })
  expect(batches.map(({ changes }) => changes.map(({ key, value }) => `${key}=${value}`))).toEqual([['a=2', 'b=2']])
  expect(there.explain('b')).toMatchObject({ layer: 'kv', source: 'kv:config/old', deprecatedKey: 'old' })

  await expect(writer.alter({ a: 'x' })).rejects.toSatisfy((error) => isParamError(error, 'PARAM_INVALID'))
  await kv.save('config/a', 'x')
  await expect.poll(() => problems.length, { timeout: 20_000 }).toBe(2)
  expect(valuesOf(there)).toEqual({ a: '2', b: '2' })
  await kv.remove('config/a')
  await expect.poll(() => valuesOf(there), { timeout: 20_000 }).toEqual({ b: '2' })
  await Promise.all(opened.map((one) => one.close()))
  await kv.removeWithPrefix('')
}

const LIMIT = { timeout: 90_000 }
const root = `paramtable-${process.pid}`

describe('cluster-wide parameters', () => {
  test('on lmdb', LIMIT, async () => {
    await withFolder(async (path) => {
      const kv = await openLmdbKV({ path })
      await share(kv)
      await kv.close()
    })
  })

  test.skipIf(!hasService('etcd'))('on etcd', LIMIT, async () => {
    const kv = await openEtcdKV({ hosts: serviceUrl('etcd'), rootPath: root })
    await share(kv)
    await kv.close()
  })

  test.skipIf(!hasService('redis'))('on Redis', LIMIT, async () => {
    const kv = await openRedisKV({ url: serviceUrl('redis'), rootPath: root })
    await share(kv)
    await kv.close()
  })
})
