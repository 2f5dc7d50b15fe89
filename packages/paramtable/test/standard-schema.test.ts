import { type } from 'arktype'
import * as v from 'valibot'
import { describe, expect, expectTypeOf, test } from 'vitest'
import { z } from 'zod'
import { createGlobalParamsTable } from '../src/index.ts'
import type { StandardSchema } from '../src/index.ts'
import { shown, thrown } from './helpers.ts'

const schemas: readonly (readonly [string, StandardSchema<unknown, { host: string; port: number }[]>])[] = [
  ['zod', z.array(z.object({ host: z.string().min(1), port: z.number().int().max(65_535) }))],
  ['valibot', v.array(v.object({ host: v.pipe(v.string(), v.minLength(1)), port: v.pipe(v.number(), v.integer(), v.maxValue(65_535)) }))],
  ['arktype', type({ host: 'string > 0', port: 'number.integer <= 65535' }).array()],
]

describe.each(schemas)('a schema of %s', (_, schema) => {
  test('validates before a value is accepted, and types it', () => {
    const params = createGlobalParamsTable({ declarations: [{ key: 'servers', type: 'json', schema }] })
    params.loadYamlText('servers:\n  - { host: a, port: 80 }\n  - { host: b, port: 81 }', 'f.yaml')
    const servers = params.getWith('servers', schema)
    expectTypeOf(servers).toEqualTypeOf<{ host: string; port: number }[]>()
    expect(servers).toEqual([{ host: 'a', port: 80 }, { host: 'b', port: 81 }])
    expect(params.getJson('servers')).toEqual(servers)
    expect(params.snapshot().getWith('SERVERS', schema)).toBe(servers)
    expect(() => params.loadYamlText('servers:\n  - { host: "", port: 70000 }', 'f.yaml')).toThrow(/^f.yaml:1:1: expected `servers` to be what its schema takes, got .* \(string\): .*0\.host.*0\.port/)
    expect(() => params.save('servers', 'no json')).toThrow('expected `servers` to be JSON')
    expect(params.getWith('servers', schema)).toBe(servers)
  })

  test('reads a parameter that is not declared with it', () => {
    const params = createGlobalParamsTable({ declarations: [{ key: 'declared', type: 'json' }] })
    params.save('declared', '[{"host":"a","port":1}]')
    params.save('text', 'a')
    expect(params.getWith('declared', schema)).toEqual([{ host: 'a', port: 1 }])
    expect(() => params.getWith('text', schema)).toThrow(/^save\(\): expected `text` to be what the schema takes, got "a" \(string\): /)
    expect(() => params.getWith('nothing', schema)).toThrow(expect.objectContaining({ code: 'PARAM_MISSING' }))
  })
})

describe('a schema', () => {
  test('gets what the getter of the type gives, and its output is given by getWith alone', () => {
    const schema = z.number().multipleOf(5).transform((ms) => `${ms / 1000} s`)
    const params = createGlobalParamsTable({ declarations: [{ key: 'every', type: 'durationMs', default: '10s', min: 1, schema }] })
    expect(params.getDurationMs('every')).toBe(10_000)
    expect(params.getWith('every', schema)).toBe('10 s')
    params.save('every', '2.5s')
    expect(params.getWith('every', schema)).toBe('2.5 s')
    expect(() => params.save('every', '12ms')).toThrow('what its schema takes')
    expect(() => params.save('every', '0ms')).toThrow('durationMs in 1..∞')
  })

  test('checks defaults, and itself', () => {
    const make = (schema: unknown): unknown => createGlobalParamsTable({ declarations: [{ key: 'a', type: 'int', default: 1, schema: schema as StandardSchema }] })
    expect(() => make(z.number().min(5))).toThrow(/^expected the default of `a` to be what its schema takes, got 1 \(number\): /)
    for (const schema of [null, 5, {}, { '~standard': {} }, { '~standard': { version: 2, validate: () => ({ value: 1 }) } }]) expect(() => make(schema)).toThrow(/Standard Schema/)
    expect(() => createGlobalParamsTable().getWith('a', {} as never)).toThrow(TypeError)
  })

  test('that must be waited for, or throws, refuses', () => {
    const asynchronous = z.string().refine(async () => Promise.resolve(true))
    const rejecting = { '~standard': { version: 1, vendor: 'test', validate: () => Promise.reject<never>(new Error('late')) } } as const
    const throwing = { '~standard': { version: 1, vendor: 'test', validate: (): never => { throw new Error('oh') } } } as const
    const params = createGlobalParamsTable({ declarations: [{ key: 'a', type: 'string', schema: asynchronous }, { key: 'b', type: 'string', schema: throwing }, { key: 'c', type: 'string', schema: rejecting }] })
    expect(() => params.save('a', 'x')).toThrow(/asynchronous|the schema threw/)
    expect(() => params.save('b', 'x')).toThrow('the schema threw oh')
    expect(() => params.save('c', 'x')).toThrow('the schema is asynchronous')
  })

  test('of a secret says nothing of it', () => {
    const telling = { '~standard': { version: 1, vendor: 'test', validate: (value: unknown) => ({ issues: [{ message: `${String(value)} is bad` }] }) } } as const
    const params = createGlobalParamsTable({ declarations: [{ key: 'a', type: 'string', secret: true, schema: telling }] })
    expect(shown(thrown(() => params.save('a', 'hunter2')))).not.toContain('hunter2')
    const loose = createGlobalParamsTable()
    loose.save('some.password', 'hunter2')
    expect(shown(thrown(() => loose.getWith('some.password', telling)))).not.toContain('hunter2')
  })
})

test('arrays in files are arrays, whatever is in them', async () => {
  const params = createGlobalParamsTable({ declarations: [{ key: 'a', type: 'json' }] })
  params.loadYamlText('a: [x, 1, 1.10, ~]\nb: [x]', 'f.yaml')
  expect([params.getJson('a'), params.load('a'), params.load('b')]).toEqual([['x', 1, 1.1, null], '["x",1,1.10,null]', 'x'])
  for (const [name, text] of [['f.yaml', 'a: []'], ['f.json', '{"a": []}'], ['f.toml', 'a = []']] as const) {
    await params.loadText(text, name)
    expect(params.getJson('a')).toEqual([])
    expect(params.explain('a')).toMatchObject({ value: '[]', layer: 'file' })
  }
  expect(() => params.loadYamlText('a: x', 'f.yaml')).toThrow('f.yaml:1:1: expected `a` to be JSON')
})

test('JSON is frozen: readers share it', () => {
  const params = createGlobalParamsTable()
  params.save('a', '{"x":[{"y":1}]}')
  const value = params.getJson('a') as { x: { y: number }[] }
  expect(() => value.x.push({ y: 2 })).toThrow(TypeError)
  expect(() => Object.assign(value.x[0] ?? {}, { y: 2 })).toThrow(TypeError)
  expect(params.getJson('A')).toBe(value)
})
