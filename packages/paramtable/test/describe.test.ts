import { Ajv2020 } from 'ajv/dist/2020.js'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { createGlobalParamsTable } from '../src/index.ts'
import type { ParamDeclaration } from '../src/index.ts'
import { shown, thrown } from './helpers.ts'

const declarations: readonly ParamDeclaration[] = [
  { key: 'http.port', type: 'int', default: 80, min: 0, max: 65_535, doc: 'Port to listen on.', deprecatedKeys: ['server.port'] },
  { key: 'http.rate', type: 'float', default: '1.50', min: 0 },
  { key: 'http.timeout', type: 'durationMs', unit: 's', default: '10', doc: 'How long.' },
  { key: 'cache.size', type: 'bytes', default: '1.5GiB' },
  { key: 'log.level', type: 'enum', oneOf: ['debug', 'info', 'true', '3'], default: 'info' },
  { key: 'log', type: 'string', default: 'x' },
  { key: 'hosts', type: 'list', default: 'a,b' },
  { key: 'users', type: 'json', default: '[]' },
  { key: 'on', type: 'bool', default: true },
  { key: 'db.password', type: 'string', secret: true, default: 'hunter2' },
]

describe('the JSON Schema', () => {
  const params = createGlobalParamsTable({ declarations, strict: true })
  const { yaml, jsonSchema } = params.describe()
  const validate = new Ajv2020({ allErrors: true, allowUnionTypes: true }).compile(jsonSchema)

  test('takes the example file, which the table takes too', () => {
    expect(validate(parse(yaml)) ? [] : validate.errors).toEqual([])
    const copy = createGlobalParamsTable({ declarations, strict: true })
    copy.loadYamlText(yaml, 'example.yaml')
    expect(copy.explain('http.port').source).toMatch(/^example\.yaml:/)
  })

  const good: readonly string[] = [
    'http: { port: 0, rate: 2, timeout: 1.5 }', 'http: { timeout: 200ms }', 'cache: { size: 65536 }', 'cache: { size: 64 MB }', 'log.level: 3', 'log.level: true', 'hosts: [a, 1]', 'hosts: a',
    'users: [{ name: a }]', 'users: [a]', 'db: { password: 123 }', 'server: { port: 1 }', 'on: false',
  ]
  test.each(good)('and the table take %s', (text) => {
    expect(validate(parse(text)) ? [] : validate.errors).toEqual([])
    createGlobalParamsTable({ declarations, strict: true }).loadYamlText(text, 'f')
  })

  const bad = ['http: { port: 65536 }', 'http: { port: 1.5 }', 'http: { port: x }', 'http: { prot: 1 }', 'http: { timeout: soon }', 'cache: { size: much }', 'log.level: loud', 'on: maybe', 'http: { rate: -1 }', 'nothing: 1']
  test.each(bad)('and the table refuse %s', (text) => {
    expect(validate(parse(text))).toBe(false)
    expect(() => createGlobalParamsTable({ declarations, strict: true }).loadYamlText(text, 'f')).toThrow(/^f:1:/)
  })

  test('documents, and keeps secrets', () => {
    expect(jsonSchema).toMatchObject({
      properties: {
        http: { properties: { port: { default: 80, description: 'Port to listen on.' }, rate: { default: 1.5 }, timeout: { default: '10', description: 'How long. In s.' } } },
        server: { properties: { port: { deprecated: true, description: 'Now `http.port`.' } } },
        db: { properties: { password: { writeOnly: true } } },
      },
    })
    expect(new Ajv2020().compile(createGlobalParamsTable({ declarations: [] }).describe().jsonSchema)({ any: { thing: 1 } })).toBe(true)
  })
})

describe('a secret', () => {
  test('is in nothing that is shown: dumps, explanations, documents, errors and their causes, the table itself', async () => {
    const params = createGlobalParamsTable({ declarations: [...declarations, { key: 'pin', type: 'int', secret: true, deprecatedKeys: ['code'] }, { key: 'mode', type: 'enum', oneOf: ['a'], secret: true }] })
    params.loadYamlText('db:\n  password: hunter2\nthe:\n  apiKey: hunter2', 'f.yaml')
    params.save('db.password', 'hunter2')
    const things: unknown[] = [params, params.snapshot(), [...params.dump()], params.explain('db.password'), params.explain('the.apikey'), params.describe(), params.deprecations()]
    const calls = [
      () => params.save('pin', 'hunter2'), () => params.save('code', 'hunter2'), () => params.save('mode', 'hunter2'), () => params.getInt('the.apikey'),
      () => params.loadYamlText('pin: hunter2', 'f'), () => params.loadYamlText('db:\n  password: "hunter2\n', 'f'), () => params.loadYamlText('db:\n  password: hunter2\n  password: hunter2', 'f'),
      () => params.loadYamlText('db: {password: hunter2, x: *hunter}', 'f'), () => params.setLayer({ kind: 'flags', name: 'f', entries: [['pin', 'hunter2']] }),
      () => createGlobalParamsTable({ declarations: [{ key: 'pin', type: 'int', secret: true, default: 'hunter2' }] }),
    ]
    for (const call of calls) things.push(thrown(call))
    for (const [name, text] of [['f.json', '{"db": {"password": "hunter2",}}'], ['f.json', '{"password": hunter2}'], ['f.toml', 'password = hunter2'], ['f.toml', 'pin = "hunter2"'], ['.env', 'PASSWORD="hunter2'], ['.env', 'PIN=hunter2'], ['.env', 'hunter2']] as const) {
      things.push(await params.loadText(text, name).catch((error: unknown) => error))
    }
    for (const thing of things) expect(shown(thing)).not.toContain('hunter2')
    expect(params.getString('db.password')).toBe('hunter2')
  })
})

test('a snapshot has the getters of the table, and stays as it was', () => {
  const params = createGlobalParamsTable({ declarations })
  params.save('more', '1')
  const before = params.snapshot()
  params.save('http.port', '81')
  params.remove('more')
  params.loadYamlText('cache: { size: 1k }\nhosts: [c]', 'f')
  expect([before.getInt('http.port'), before.getInt('server.port'), before.getBytes('cache.size'), before.getList('hosts'), before.getInt('more')]).toEqual([80, 80, 1.5 * 2 ** 30, ['a', 'b'], 1])
  expect([params.getInt('http.port'), params.getBytes('cache.size'), params.getList('hosts'), params.getInt('more', 7)]).toEqual([81, 1024, ['c'], 7])
  expect(() => before.getBool('http.port')).toThrow(TypeError)
  expect(() => before.getInt('nothing')).toThrow(expect.objectContaining({ code: 'PARAM_MISSING' }))
  expect(() => before.getInt(5 as never)).toThrow(TypeError)
})

test('an immutable parameter is fixed by the first read, also by one that found nothing', () => {
  const params = createGlobalParamsTable({ declarations: [{ key: 'a', type: 'int', immutable: true }, { key: 'b', type: 'int', immutable: true }] })
  expect(params.getInt('A', 3)).toBe(3)
  expect(params.snapshot().getInt('b', 4)).toBe(4)
  expect(() => params.save('a', '5')).toThrow(expect.objectContaining({ code: 'PARAM_IMMUTABLE' }))
  params.save('b', '5')
  expect(params.getInt('b')).toBe(5)
})
