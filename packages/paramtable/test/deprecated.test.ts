import { describe, expect, test } from 'vitest'
import { createGlobalParamsTable } from '../src/index.ts'
import type { ParamChanges, ParamDeclaration } from '../src/index.ts'
import { valuesOf } from './helpers.ts'

const port: ParamDeclaration = { key: 'http.Port', type: 'int', default: 80, deprecatedKeys: ['server.Port', 'port'] }

describe('a deprecated name', () => {
  test('sets and reads the parameter, in any layer', () => {
    const params = createGlobalParamsTable({ declarations: [port], strict: true, env: { values: { APP_SERVER_PORT: '84' }, prefix: 'APP_' } })
    expect(valuesOf(params)).toEqual({ 'http.port': '84' })
    params.setLayer({ kind: 'flags', name: 'flags', entries: [['PORT', '85', '--port']] })
    expect([params.getInt('http.port'), params.getInt('Server.PORT'), params.load('port'), params.load('server.Port')]).toEqual([85, 85, '85', '85'])
    params.save('port', '86')
    expect(valuesOf(params)).toEqual({ 'http.port': '86' })
    expect(params.loadRange('', 'z').keys).toEqual(['http.port'])
    params.reset('http.port')
    expect(params.getInt('port')).toBe(85)
    params.remove('server.port')
    expect(params.load('http.port')).toBeUndefined()
    params.reset('port')
    expect(params.explain('port')).toMatchObject({
      key: 'http.Port', value: '85', source: '--port', deprecatedKey: 'port',
      overrides: [{ value: '84', source: 'environment variable APP_SERVER_PORT', deprecatedKey: 'server.port' }, { value: '80', source: 'default', deprecatedKey: undefined }],
    })
    expect(params.deprecations()).toEqual([
      { deprecatedKey: 'port', key: 'http.Port', layer: 'flags', source: '--port' },
      { deprecatedKey: 'server.port', key: 'http.Port', layer: 'environment', source: 'environment variable APP_SERVER_PORT' },
    ])
  })

  test('gives way to the present name of the same layer, also where that says the default (4.2 #22)', () => {
    const params = createGlobalParamsTable({ declarations: [port] })
    params.loadYamlText('server: { port: 81 }\nhttp: { port: 80 }\nport: 82', 'a.yaml')
    expect(params.getInt('http.port')).toBe(80)
    expect(params.explain('http.port').source).toBe('a.yaml:2:9')
  })

  test('of a stronger layer wins over the present name of a weaker one', () => {
    const params = createGlobalParamsTable({ declarations: [port] })
    params.loadYamlText('http: { port: 81 }', 'a.yaml')
    params.loadYamlText('port: 82', 'b.yaml')
    expect(params.getInt('http.port')).toBe(82)
    params.removeLayer('file', 'b.yaml')
    expect(params.getInt('http.port')).toBe(81)
  })

  test('is checked as the present one is', () => {
    const params = createGlobalParamsTable({ declarations: [{ ...port, immutable: true }] })
    expect(() => params.loadYamlText('port: x', 'a.yaml')).toThrow('a.yaml:1:1: expected `http.Port` to be a whole number')
    expect(params.getInt('server.port')).toBe(80)
    expect(() => params.save('port', '81')).toThrow(expect.objectContaining({ code: 'PARAM_IMMUTABLE' }))
  })

  test('watches and is watched as the present one', () => {
    const params = createGlobalParamsTable({ declarations: [port] })
    const batches: ParamChanges[] = []
    params.watch('PORT', (batch) => void batches.push(batch))
    params.watch({ prefix: 'http.' }, (batch) => void batches.push(batch))
    params.save('server.port', '81')
    expect(batches.map(({ changes }) => changes)).toEqual([[{ key: 'http.port', value: '81', oldValue: '80' }], [{ key: 'http.port', value: '81', oldValue: '80' }]])
  })

  test('that is declared later shows the parameter, whichever of its names was used', () => {
    for (const name of ['port', 'server.port']) {
      const params = createGlobalParamsTable()
      params.setLayer({ kind: 'kv', name: 'p', entries: [[name, '81']] })
      params.declare(port)
      expect([params.load('port'), params.load('server.Port'), params.load('HTTP.port')]).toEqual(['81', '81', '81'])
    }
  })

  test('that is declared later takes over what is there', () => {
    const params = createGlobalParamsTable()
    params.loadYamlText('port: 81\nserver: { port: 82 }', 'a.yaml')
    params.save('port', '83')
    const before = params.snapshot()
    const batches: ParamChanges[] = []
    params.watch({ prefix: '' }, (batch) => void batches.push(batch))
    const heard: (string | undefined)[] = []
    params.watch('port', ({ changes }) => void heard.push(changes[0]?.value))
    params.declare(port)
    expect(valuesOf(params)).toEqual({ 'http.port': '83' })
    expect(params.snapshot().size).toBe(1)
    expect(batches.flatMap(({ changes }) => changes.map(({ key, value }) => [key, value]))).toEqual([['http.port', '83'], ['port', undefined], ['server.port', undefined]])
    expect([before.load('port'), before.load('http.port')]).toEqual(['83', undefined])
    params.reset('http.port')
    expect(params.getInt('port')).toBe(82)
    expect(heard).toEqual(['83', undefined, '82'])
    expect(() => params.declare({ key: 'a', type: 'int', deprecatedKeys: ['PORT'] })).toThrow('declared once')
    expect(() => params.declare({ key: 'server.port', type: 'int' })).toThrow('declared once')
    expect(() => params.declare({ key: 'b', type: 'int', deprecatedKeys: [''] })).toThrow(RangeError)
    expect(() => params.declare({ key: 'b', type: 'int', deprecatedKeys: 'x' as never })).toThrow(TypeError)
  })
})
