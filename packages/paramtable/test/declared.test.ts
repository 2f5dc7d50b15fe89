import { describe, expect, test } from 'vitest'
import { createGlobalParamsTable, isParamError } from '../src/index.ts'
import type { ParamDeclaration, ParamType } from '../src/index.ts'

const declarations: readonly ParamDeclaration[] = [
  { key: 'proxy.port', type: 'int', default: 19530, min: 0, max: 65535, doc: 'Port of gRPC and HTTP.' },
  { key: 'proxy.maxMessageBytes', type: 'bytes', default: '64m', min: 1024 },
  { key: 'dataCoord.flushIntervalMs', type: 'durationMs', default: '10s' },
  { key: 'dataCoord.sealProportion', type: 'float', default: 0.23 },
  { key: 'log.level', type: 'enum', oneOf: ['debug', 'info', 'warn'], default: 'info' },
  { key: 'minio.secretAccessKey', type: 'string', default: 'minioadmin', secret: true },
  { key: 'common.auth', type: 'bool', default: false },
  { key: 'etcd.endpoints', type: 'list', default: 'localhost:2379' },
]

describe('typed getters', () => {
  test('give the defaults, and what is set', () => {
    const params = createGlobalParamsTable({ declarations })
    expect(params.getInt('proxy.port')).toBe(19530)
    expect(params.getBytes('proxy.maxMessageBytes')).toBe(64 * 1024 * 1024)
    expect(params.getDurationMs('DATACOORD.FLUSHINTERVALMS')).toBe(10_000)
    expect(params.getFloat('dataCoord.sealProportion')).toBe(0.23)
    expect(params.getEnum('log.level')).toBe('info')
    expect(params.getString('log.level')).toBe('info')
    expect(params.getString('minio.secretAccessKey')).toBe('minioadmin')
    expect(params.getBool('common.auth')).toBe(false)
    expect(params.getList('etcd.endpoints')).toEqual(['localhost:2379'])
    params.save('LOG.level', 'WARN')
    expect(params.getEnum('log.level')).toBe('warn')
  })

  const table: readonly [ParamType, Record<string, unknown>, readonly string[]][] = [
    ['int', { '0': 0, '-5': -5, '+7': 7, '9007199254740991': 2 ** 53 - 1 }, ['', ' ', ' 5', '5 ', '0x10', '1e3', '1.0', '0777', '12abc', '9007199254740992', 'NaN', '１']],
    ['float', { '0': 0, '-.5': -0.5, '1.': 1, '1e3': 1000, '1.10': 1.1 }, ['', '.', 'e1', '0x1', 'Infinity', '1e999', '1,5', '1_000']],
    ['bool', { true: true, TRUE: true, t: true, '1': true, yes: true, on: true, false: false, F: false, '0': false, off: false }, ['', 'tru', '2', ' true']],
    ['durationMs', { '0': 0, '200': 200, '200ms': 200, '1.5s': 1500, '10m': 600_000, '2h': 7_200_000, '1d': 86_400_000, '3 s': 3000 }, ['', '-1', 's', '1w', '1e3']],
    ['bytes', { '0': 0, '512b': 512, '64k': 65_536, '64KB': 65_536, '1.5GiB': 1.5 * 2 ** 30, '2 m': 2 ** 21 }, ['', '-1', 'k', '1.5', '1x', '99999999p']],
    ['list', { '': [], 'a, b ,c': ['a', 'b', 'c'], '["a,b","c"]': ['a,b', 'c'], '[x,y]': ['[x', 'y]'] }, []],
  ]
  test.each(table)('%s is parsed strictly (trap 41)', (type, good, bad) => {
    const params = createGlobalParamsTable({ declarations: [{ key: 'it', type }] })
    const get = { int: 'getInt', float: 'getFloat', bool: 'getBool', durationMs: 'getDurationMs', bytes: 'getBytes', list: 'getList' } as const
    const getter = get[type as keyof typeof get]
    const undeclared = createGlobalParamsTable()
    for (const [text, value] of Object.entries(good)) {
      params.save('it', text)
      undeclared.save('it', text)
      expect([text, params[getter]('it')]).toEqual([text, value])
      expect([text, undeclared[getter]('it')]).toEqual([text, value])
    }
    for (const text of bad) {
      expect(() => params.save('it', text)).toThrow(expect.objectContaining({ code: 'PARAM_INVALID', outcome: 'not-applied' }))
      undeclared.save('it', text)
      expect(() => undeclared[getter]('it')).toThrow(/^save\(\): expected `it` to be /)
    }
  })

  test('units of bare numbers, and bounds', () => {
    const params = createGlobalParamsTable({
      declarations: [
        { key: 'd', type: 'durationMs', unit: 's', default: 5, max: 10_000 },
        { key: 'b', type: 'bytes', unit: 'm', default: 5 },
      ],
    })
    expect([params.getDurationMs('d'), params.getBytes('b')]).toEqual([5000, 5 << 20])
    params.save('d', '200ms')
    expect(params.getDurationMs('d')).toBe(200)
    expect(() => params.save('d', '11')).toThrow('durationMs in -∞..10000')
  })

  test('the wrong getter is a programming mistake; a missing value is not', () => {
    const params = createGlobalParamsTable({ declarations: [...declarations, { key: 'unset', type: 'int' }] })
    expect(() => params.getBool('proxy.port')).toThrow(TypeError)
    expect(() => params.getInt('unset')).toThrow(expect.objectContaining({ code: 'PARAM_MISSING' }))
    expect(params.getInt('unset', 3)).toBe(3)
    expect(params.getInt('nowhere', 3)).toBe(3)
  })
})

describe('strict tables', () => {
  test('refuse unknown keys with the nearest name and the place', () => {
    const params = createGlobalParamsTable({ declarations, strict: true })
    expect(() => params.loadYamlText('proxy:\n  prot: 1\n', 'milvus.yaml')).toThrow(
      'milvus.yaml:2:3: no parameter `proxy.prot` is declared; did you mean `proxy.port`?',
    )
    expect(() => params.save('quite.different.thing', '1')).toThrow(/is declared$/)
    expect(() => params.explain('proxy.pot')).toThrow('did you mean `proxy.port`?')
    const env = { values: { MINI_LOG_LEVL: 'info' }, prefix: 'MINI_' }
    expect(() => createGlobalParamsTable({ declarations, strict: true, env })).toThrow(
      'environment variable MINI_LOG_LEVL: no parameter `log.levl` is declared; did you mean `log.level`?',
    )
  })

  test('tell all problems of a file at once', () => {
    const params = createGlobalParamsTable({ declarations, strict: true })
    let caught: unknown
    try {
      params.loadYamlText('proxy: { port: x, prot: 1 }\nlog: { level: loud }', 'f')
    } catch (error) {
      caught = error
    }
    expect(isParamError(caught, 'PARAM_INVALID')).toBe(true)
    expect(caught).toMatchObject({ details: { problems: [{ key: 'proxy.port' }, { key: 'proxy.prot' }, { key: 'log.level', source: 'f:2:8' }] } })
    expect(JSON.parse(JSON.stringify(caught))).toMatchObject({ code: 'PARAM_INVALID' })
  })
})

describe('secrets', () => {
  test('are masked in dump, explain, describe and errors', () => {
    const params = createGlobalParamsTable({ declarations: [...declarations, { key: 'pin', type: 'int', secret: true }] })
    params.save('minio.secretAccessKey', 'hunter2')
    params.save('some.password', 'hunter2')
    const shown = JSON.stringify([[...params.dump()], params.explain('minio.secretaccesskey'), params.explain('some.password'), params.describe()])
    expect(shown).not.toContain('hunter2')
    expect(shown).not.toContain('minioadmin')
    expect(() => params.save('pin', 'hunter2')).toThrow(/got a secret/)
    expect(params.load('some.password')).toBe('hunter2')
  })
})

describe('declarations', () => {
  test('that contradict themselves are refused', () => {
    const bad: readonly unknown[] = [
      { key: '', type: 'int' },
      { key: 'a', type: 'number' },
      { key: 'a', type: 'int', default: 'x' },
      { key: 'a', type: 'int', default: 5, max: 4 },
      { key: 'a', type: 'enum' },
      { key: 'a', type: 'int', min: '1' },
      null,
    ]
    for (const declaration of bad) expect(() => createGlobalParamsTable({ declarations: [declaration as ParamDeclaration] })).toThrow(Error)
    expect(() => createGlobalParamsTable({ declarations: [{ key: 'a', type: 'int' }, { key: 'A', type: 'int' }] })).toThrow('declared once')
  })

  test('of a parameter with a value that does not fit change nothing', () => {
    const params = createGlobalParamsTable()
    params.save('a', 'x')
    expect(() => params.declare({ key: 'a', type: 'int' })).toThrow(expect.objectContaining({ code: 'PARAM_INVALID' }))
    params.save('a', 'y')
    expect(params.getString('a')).toBe('y')
  })

  test('describe gives a reference, and a file that sets the defaults', () => {
    const params = createGlobalParamsTable({ declarations: [...declarations, { key: 'log', type: 'string', default: 'a: b' }, { key: 'x.y', type: 'int' }] })
    const { markdown, yaml } = params.describe()
    expect(markdown).toContain('| `proxy.port` | int | `19530` | 0..65535 | Port of gRPC and HTTP. |')
    expect(markdown).toContain('| `minio.secretAccessKey` | string | `******` |')
    expect(yaml).toContain('proxy:\n  # bytes; 1024..∞\n  maxMessageBytes: 64m\n  # Port of gRPC and HTTP.\n  # int; 0..65535\n  port: 19530\n')
    const copy = createGlobalParamsTable({ declarations: [...declarations, { key: 'log', type: 'string' }, { key: 'x.y', type: 'int' }], strict: true })
    copy.loadYamlText(yaml, 'example.yaml')
    expect(copy.snapshot().keys()).toEqual(params.snapshot().keys())
    for (const key of params.snapshot().keys()) expect(copy.load(key)).toBe(params.load(key))
  })
})

describe('bad arguments', () => {
  test('are refused with what was expected and what came', () => {
    const params = createGlobalParamsTable()
    for (const key of ['', 'a\nb', '\ud800', 'x'.repeat(1025)]) expect(() => params.save(key, '')).toThrow(RangeError)
    for (const key of [1, null, undefined, {}, Symbol.iterator]) {
      const wrong = key as never
      expect(() => params.save(wrong, '')).toThrow(TypeError)
      expect(() => params.load(wrong)).toThrow(TypeError)
      expect(() => params.getInt(wrong)).toThrow(TypeError)
    }
    expect(() => params.save('a', 1 as unknown as string)).toThrow('expected `value` to be a string, got 1 (number)')
    expect(() => params.save('a', '\udc00')).toThrow(RangeError)
    expect(() => params.save('a', 'x'.repeat((1 << 20) + 1))).toThrow(expect.objectContaining({ code: 'PARAM_TOO_LARGE' }))
    for (const limit of [-1, 1.5, NaN, '1' as unknown as number]) expect(() => params.loadRange('a', 'b', limit)).toThrow(RangeError)
    expect(() => params.watch('a', 1 as never)).toThrow(TypeError)
    expect(() => createGlobalParamsTable({ strict: 1 as never })).toThrow(TypeError)
    expect(() => createGlobalParamsTable({ env: { values: {}, prefix: '' } })).toThrow(TypeError)
    for (const key of ['__proto__', 'constructor', 'tostring']) {
      expect(params.load(key)).toBeUndefined()
      params.save(key, '1')
      expect(params.load(key)).toBe('1')
    }
  })

  test('a table has a limit', () => {
    const params = createGlobalParamsTable({ maxKeys: 2 })
    params.save('a', '')
    params.save('b', '')
    expect(() => params.save('c', '')).toThrow(expect.objectContaining({ code: 'PARAM_TOO_LARGE' }))
    expect(() => params.loadYamlText('a: 1\nb: 1\nc: 1', 'f')).toThrow(expect.objectContaining({ code: 'PARAM_TOO_LARGE' }))
    params.save('a', '1')
    params.reset('b')
    params.save('c', '')
    expect(params.snapshot().keys()).toEqual(['a', 'c'])
  })
})
