import { createMemoryKV } from '@timetick/kv/memory'
import { describe, expect, test } from 'vitest'
import { createGlobalParamsTable, isParamError } from '../src/index.ts'
import type { ParamChanges } from '../src/index.ts'
import { openKVParams } from '../src/kv.ts'

const declarations = [{ key: 'proxy.port', type: 'int', default: 19530, min: 1 }] as const

async function until(holds: () => boolean): Promise<void> {
  for (let turn = 0; turn < 2_000 && !holds(); turn++) await new Promise((resolve) => setImmediate(resolve))
  expect(holds()).toBe(true)
}

describe('parameters in a store', () => {
  test('hide weaker layers, follow changes as one step, and say where they are from', async () => {
    const kv = createMemoryKV()
    await kv.save('config/proxy.port', '1')
    await kv.save('beside', 'x')
    const table = createGlobalParamsTable({ declarations })
    const params = await openKVParams({ table, kv })
    expect(table.getInt('proxy.port')).toBe(1)
    expect(table.explain('proxy.port').source).toBe('kv:config/proxy.port')
    const told: ParamChanges[] = []
    table.watch({ prefix: '' }, (batch) => void told.push(batch))
    await kv.multiSaveAndRemove({ 'config/a': '1', 'config/B': '2' }, ['config/proxy.port'])
    await until(() => told.length > 0)
    expect(told.map(({ changes }) => changes.map(({ key, value }) => `${key}=${value}`))).toEqual([['a=1', 'b=2', 'proxy.port=19530']])
    await params.close()
    await params.close()
    await kv.save('config/a', '9')
    expect(table.load('a')).toBe('1')
  })

  test('alter shows what it wrote, and refuses before it writes', async () => {
    const kv = createMemoryKV()
    const table = createGlobalParamsTable({ declarations })
    const params = await openKVParams({ table, kv })
    await params.alter({ 'Proxy.Port': '7', other: 'x' })
    expect(table.getInt('proxy.port')).toBe(7)
    expect(await kv.load('config/proxy.port')).toBe('7')
    await expect(params.alter({ 'proxy.port': '0' })).rejects.toSatisfy((error) => isParamError(error, 'PARAM_INVALID'))
    expect(await kv.load('config/proxy.port')).toBe('7')
    await params.alter({ 'proxy.port': undefined })
    expect(table.getInt('proxy.port')).toBe(19530)
    await expect(params.alter({})).rejects.toThrow(RangeError)
    const reason = new Error('no')
    await expect(params.alter({ a: 'b' }, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    await params.close()
  })

  test('keep the last good values when a change is bad or the store is gone, and heal', async () => {
    const kv = createMemoryKV({ maxHistory: 1 })
    const problems: unknown[] = []
    const table = createGlobalParamsTable({ declarations })
    const params = await openKVParams({ table, kv, retryMs: 1, onProblem: (error) => void problems.push(error) })
    await params.alter({ 'proxy.port': '5' })
    await kv.save('config/proxy.port', 'five')
    await until(() => problems.length === 1)
    expect(isParamError(problems[0], 'PARAM_INVALID')).toBe(true)
    expect(table.getInt('proxy.port')).toBe(5)
    kv.cutWatches()
    for (let n = 0; n < 5; n++) await kv.save('config/n', String(n))
    await kv.save('config/proxy.port', '6')
    await expect.poll(() => table.getInt('proxy.port')).toBe(6)
    expect(table.load('n')).toBe('4')
    await params.close()
  })

  test('a store that cannot be read at the begin is an error', async () => {
    const kv = createMemoryKV()
    await kv.close()
    await expect(openKVParams({ table: createGlobalParamsTable(), kv })).rejects.toSatisfy((error) => isParamError(error, 'PARAM_SOURCE_FAILED'))
    await expect(openKVParams(undefined as never)).rejects.toThrow(TypeError)
    const reason = new Error('no')
    await expect(openKVParams({ table: createGlobalParamsTable(), kv, signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  })
})
