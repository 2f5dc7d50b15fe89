import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createGlobalParamsTable } from '../src/index.ts'

async function withFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'paramtable-'))
  try {
    await run(folder)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

describe('the appendix', () => {
  test('keys do not depend on letter case (4.2 #1)', () => {
    const params = createGlobalParamsTable()
    params.save('A.B', '1')
    expect(params.load('a.b')).toBe('1')
    expect(params.load('A.b')).toBe('1')
    params.remove('A.B')
    expect(params.load('a.b')).toBeUndefined()
  })

  test('missing keys: load gives undefined, remove does nothing (4.2 #2)', () => {
    const params = createGlobalParamsTable()
    expect(params.load('x')).toBeUndefined()
    params.remove('x')
    expect(params.dump()).toEqual(new Map())
  })

  test('loadRange is half open, ascending, limited (4.2 #3, #4)', () => {
    const params = createGlobalParamsTable()
    for (const key of ['xxxaab', 'xxxfghz', 'xxxbcde', 'xxxabcd', 'xxxzhi']) params.save(key, `v-${key}`)
    expect(params.loadRange('xxxa', 'xxxg').keys).toEqual(['xxxaab', 'xxxabcd', 'xxxbcde', 'xxxfghz'])
    expect(params.loadRange('XXXA', 'xxxG', 2)).toEqual({ keys: ['xxxaab', 'xxxabcd'], values: ['v-xxxaab', 'v-xxxabcd'] })
    expect(params.loadRange('xxxaab', 'xxxabcd').keys).toEqual(['xxxaab'])
    expect(params.loadRange('xxxg', 'xxxa').keys).toEqual([])
    expect(params.loadRange('xxxa', 'xxxa').keys).toEqual([])
    expect(params.loadRange('', '').keys).toEqual([])
  })

  test('loadRange orders by UTF-8 bytes', () => {
    const params = createGlobalParamsTable()
    for (const key of ['\u{1f600}', '～', 'é', 'z']) params.save(key, '')
    expect(params.loadRange('a', '\u{10ffff}').keys).toEqual(['z', 'é', '～', '\u{1f600}'])
  })

  test('loadRange is what filtering and sorting all keys gives', () => {
    const key = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 4 }).filter((text) => !/\p{Cc}|\p{Surrogate}/u.test(text))
    fc.assert(
      fc.property(fc.array(fc.tuple(key, fc.boolean())), key, key, fc.nat(5), (edits, from, to, limit) => {
        const params = createGlobalParamsTable()
        const model = new Set<string>()
        for (const [name, add] of edits) {
          if (add) params.save(name, name)
          else params.remove(name)
          if (add) model.add(name.toLowerCase())
          else model.delete(name.toLowerCase())
        }
        const order = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b))
        const [low, high] = [from.toLowerCase(), to.toLowerCase()]
        const expected = [...model].sort(order).filter((name) => order(name, low) >= 0 && order(name, high) < 0)
        expect(params.loadRange(from, to, limit).keys).toEqual(limit === 0 ? expected : expected.slice(0, limit))
      }),
      { numRuns: 300 },
    )
  })

  test('loadYaml makes the three pairs of the example, and adds to what is there (4.2 #5, #7)', async () => {
    await withFolder(async (folder) => {
      const params = createGlobalParamsTable()
      params.save('mine', '1')
      await writeFile(join(folder, 'a.yaml'), 'etcd:\n  address: localhost\n  port: 12379\n  rootPath: milvus/etcd\n')
      await writeFile(join(folder, 'b.yaml'), 'etcd:\n  port: 2379\n')
      await params.loadYaml(join(folder, 'a.yaml'))
      expect(params.loadRange('etcd.', 'etcd/')).toEqual({
        keys: ['etcd.address', 'etcd.port', 'etcd.rootpath'],
        values: ['localhost', '12379', 'milvus/etcd'],
      })
      await params.loadYaml(join(folder, 'b.yaml'))
      expect([params.load('etcd.port'), params.load('etcd.address'), params.load('mine')]).toEqual(['2379', 'localhost', '1'])
    })
  })

  test('files count in the order of the calls, also when all are loaded at once', async () => {
    await withFolder(async (folder) => {
      const params = createGlobalParamsTable()
      const paths = ['a', 'b', 'c'].map((name) => join(folder, name))
      await writeFile(paths[0] ?? '', `x: 1\n${'# long\n'.repeat(100_000)}`)
      await writeFile(paths[1] ?? '', 'x: 2\n')
      await writeFile(paths[2] ?? '', 'x: [1\n')
      const results = await Promise.allSettled(paths.map((path) => params.loadYaml(path)))
      expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected'])
      expect(params.load('x')).toBe('2')
    })
  })

  test('a file that cannot be read is an error that names it; an aborted load loads nothing', async () => {
    const params = createGlobalParamsTable()
    const path = join(tmpdir(), 'no-such-folder-of-paramtable', 'a.yaml')
    await expect(params.loadYaml(path)).rejects.toMatchObject({ code: 'PARAM_SOURCE_FAILED', details: { file: path }, outcome: 'not-applied' })
    const reason = new Error('enough')
    await expect(params.loadYaml(path, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    await withFolder(async (folder) => {
      await writeFile(join(folder, 'latin1.yaml'), Buffer.from([0x61, 0x3a, 0x20, 0xe9]))
      await expect(params.loadYaml(join(folder, 'latin1.yaml'))).rejects.toMatchObject({ code: 'PARAM_SOURCE_FAILED' })
    })
  })
})

describe('layers', () => {
  const env = (values: Record<string, string>) => ({ values, prefix: 'MINI_MILVUS_', names: { ETCD_ENDPOINTS: 'etcd.endpoints' } })

  test('runtime > kv > flags > environment > later file > earlier file > default', () => {
    const params = createGlobalParamsTable({
      declarations: [{ key: 'a', type: 'string', default: 'default' }],
      env: env({ MINI_MILVUS_A: 'environment' }),
    })
    const steps = [
      () => params.loadYamlText('a: file 1', '1.yaml'),
      () => params.loadYamlText('a: file 2', '2.yaml'),
      () => params.setLayer({ kind: 'flags', name: 'flags', entries: [['a', 'flags', '--a']] }),
      () => params.setLayer({ kind: 'kv', name: 'cluster', entries: [['A', 'kv']] }),
      () => params.save('a', 'runtime'),
    ]
    for (const step of steps.toReversed()) step()
    const shown = [params.explain('a'), ...params.explain('a').overrides].map(({ layer, value, source }) => [layer, value, source])
    expect(shown).toEqual([
      ['runtime', 'runtime', 'save()'],
      ['kv', 'kv', 'cluster'],
      ['flags', 'flags', '--a'],
      ['environment', 'environment', 'environment variable MINI_MILVUS_A'],
      // The file loaded later, whatever its name.
      ['file', 'file 1', '1.yaml:1:1'],
      ['file', 'file 2', '2.yaml:1:1'],
      ['default', 'default', 'default'],
    ])
    expect(params.load('a')).toBe('runtime')
    params.reset('a')
    expect(params.load('a')).toBe('kv')
    params.removeLayer('kv', 'cluster')
    params.removeLayer('flags', 'flags')
    expect(params.load('a')).toBe('environment')
  })

  test('remove hides, reset reveals (4.2 #16)', () => {
    const params = createGlobalParamsTable({ declarations: [{ key: 'a', type: 'int', default: 1 }] })
    params.remove('a')
    expect(params.load('a')).toBeUndefined()
    expect(params.dump()).toEqual(new Map())
    expect(params.loadRange('a', 'b').keys).toEqual([])
    expect(() => params.getInt('a')).toThrow(expect.objectContaining({ code: 'PARAM_MISSING' }))
    expect(params.getInt('a', 5)).toBe(5)
    expect(params.explain('a')).toMatchObject({ value: undefined, layer: 'runtime', source: 'remove()' })
    params.reset('a')
    expect(params.getInt('a')).toBe(1)
  })

  test('an update of a weaker layer does not show while a stronger one has the key (4.2 #11)', () => {
    const params = createGlobalParamsTable()
    const seen: unknown[] = []
    params.watch('a', (batch) => seen.push(batch.changes))
    params.save('a', '1')
    params.loadYamlText('a: 2', 'f')
    params.loadYamlText('', 'f')
    expect(params.load('a')).toBe('1')
    expect(seen).toEqual([[{ key: 'a', value: '1', oldValue: undefined }]])
  })

  test('a file that is loaded again is replaced in its place', () => {
    const params = createGlobalParamsTable()
    params.loadYamlText('a: 1\nb: 1', 'low')
    params.loadYamlText('a: 2', 'high')
    params.loadYamlText('a: 3', 'low')
    expect([params.load('a'), params.load('b')]).toEqual(['2', undefined])
  })

  test('only the prefix and the listed names are taken from the environment', () => {
    const values = { MINIO_PORT: 'tcp://10.0.0.1:9000', PATH: '/bin', MINI_MILVUS_PROXY_PORT: '1', ETCD_ENDPOINTS: 'k=xxx=é', MINI_MILVUS_: 'x' }
    const params = createGlobalParamsTable({ env: env(values) })
    expect([...params.dump()]).toEqual([
      ['etcd.endpoints', 'k=xxx=é'],
      ['proxy.port', '1'],
    ])
  })

  test('a variable sets the known key with the same letters; else its underscores are dots', () => {
    const params = createGlobalParamsTable({ env: env({ MINI_MILVUS_ETCD_ROOT_PATH: 'r', MINI_MILVUS_LOG_MAX_SIZE: '5' }) })
    expect(params.load('etcd.root.path')).toBe('r')
    params.declare({ key: 'etcd.rootPath', type: 'string', default: 'd' })
    expect([params.load('etcd.root.path'), params.load('etcd.rootPath')]).toEqual([undefined, 'r'])
    params.loadYamlText('log:\n  max_size: 3', 'f')
    expect([params.load('log.max.size'), params.load('log.max_size')]).toEqual([undefined, '5'])
  })

  test('prefixed variables win over listed ones in any order; two that disagree are refused', () => {
    const both = { MINI_MILVUS_ETCD_ENDPOINTS: 'prefixed', ETCD_ENDPOINTS: 'listed' }
    for (const values of [both, Object.fromEntries(Object.entries(both).reverse())]) {
      expect(createGlobalParamsTable({ env: env(values) }).load('etcd.endpoints')).toBe('prefixed')
    }
    const clash = { MINI_MILVUS_A_B: '1', MINI_MILVUS_AB: '2' }
    expect(() => createGlobalParamsTable({ env: env(clash) })).toThrow(/MINI_MILVUS_A_B.*also set by MINI_MILVUS_AB/)
  })
})

describe('changes', () => {
  test('one call is one step: a snapshot is never a mixture, and does not change afterwards', () => {
    const params = createGlobalParamsTable()
    params.loadYamlText('a: 1\nb: 1', 'f')
    const before = params.snapshot()
    const seen: unknown[] = []
    params.watch({ prefix: '' }, ({ changes }) => seen.push(changes.map(({ key }) => [key, params.load('a'), params.load('b')])))
    params.loadYamlText('a: 2\nb: 2\nc: 2', 'f')
    expect(seen).toEqual([[['a', '2', '2'], ['b', '2', '2'], ['c', '2', '2']]])
    expect([before.load('a'), before.load('B'), before.load('c'), before.keys()]).toEqual(['1', '1', undefined, ['a', 'b']])
    expect(params.snapshot().version).toBeGreaterThan(before.version)
  })

  test('a refused file changes nothing', () => {
    const params = createGlobalParamsTable({ declarations: [{ key: 'port', type: 'int', default: 1 }] })
    params.loadYamlText('port: 2\nx: 1', 'f')
    expect(() => params.loadYamlText('port: high\nx: 2', 'f')).toThrow('f:1:1: expected `port` to be a whole number in decimal digits, got "high" (string)')
    expect(() => params.save('port', '-')).toThrow('save(): expected `port`')
    expect([params.getInt('port'), params.load('x')]).toEqual([2, '1'])
  })

  test('watchers are told in order, also of changes made by watchers', () => {
    const params = createGlobalParamsTable()
    const seen: string[] = []
    params.watch('a', ({ changes }) => {
      seen.push(`first ${changes[0]?.value}`)
      if (changes[0]?.value === '1') params.save('a', '2')
    })
    const end = params.watch({ prefix: 'A' }, ({ changes }) => seen.push(`second ${changes[0]?.value}`))
    params.save('a', '1')
    expect(seen).toEqual(['first 1', 'second 1', 'first 2', 'second 2'])
    end()
    end()
    params.save('a', '2')
    params.save('b', '2')
    params.remove('a')
    expect(seen.slice(4)).toEqual(['first undefined'])
    params.close()
    params.save('a', '9')
    expect(seen).toHaveLength(5)
  })

  test('a listener that throws or loops harms nobody', () => {
    const errors: unknown[] = []
    const params = createGlobalParamsTable({ onListenerError: (error) => errors.push(error) })
    let calls = 0
    params.watch('a', () => {
      throw new Error('mine')
    })
    params.watch('a', () => calls++)
    params.save('a', '1')
    expect([params.load('a'), calls, errors.length]).toEqual(['1', 1, 1])
    params.watch('loop', ({ changes }) => params.save('loop', `${Number(changes[0]?.value) + 1}`))
    params.save('loop', '0')
    expect(errors.at(-1)).toMatchObject({ code: 'PARAM_WATCH_LOOP' })
    params.save('a', '2')
    expect(calls).toBe(2)
  })

  test('an immutable parameter may change until it is read, then not', () => {
    const params = createGlobalParamsTable({ declarations: [{ key: 'store.kind', type: 'string', default: 'lmdb', immutable: true }] })
    params.loadYamlText('store: { kind: etcd }', 'f')
    params.save('store.kind', 'redis')
    expect(params.getString('store.kind')).toBe('redis')
    const refused = expect.objectContaining({ code: 'PARAM_IMMUTABLE' })
    expect(() => params.save('store.kind', 'lmdb')).toThrow(refused)
    expect(() => params.remove('store.kind')).toThrow(refused)
    expect(() => params.reset('store.kind')).toThrow(refused)
    params.save('store.kind', 'redis')
    params.loadYamlText('store: { kind: hidden }', 'f')
    expect(params.load('store.kind')).toBe('redis')
  })
})
