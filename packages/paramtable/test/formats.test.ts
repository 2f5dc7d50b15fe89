import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createGlobalParamsTable, isParamError } from '../src/index.ts'
import type { FileFormat, ParamErrorCode } from '../src/index.ts'
import { valuesOf, withFolder } from './helpers.ts'

async function flat(text: string, name: string): Promise<Record<string, string>> {
  const params = createGlobalParamsTable()
  await params.loadText(text, name)
  return valuesOf(params)
}

describe('JSON', () => {
  test('is flattened as YAML is; numbers keep their text', async () => {
    const text = '{"A": {"b": 1.10, "C.d": 12345678901234567890, "e": 1e3}, "t": true, "n": null, "s": "0777",\n "l": ["a", 2, null], "m": [], "c": ["a,b", 1.10], "o": [{"x": [1.0]}], "empty": {}}'
    expect(await flat(text, 'f.json')).toEqual({
      'a.b': '1.10', 'a.c.d': '12345678901234567890', 'a.e': '1e3', t: 'true', n: '', s: '0777', l: 'a,2,', m: '', c: '["a,b",1.10]', o: '[{"x":[1.0]}]',
    })
  })

  test('what JSON can say comes back', async () => {
    await fc.assert(fc.asyncProperty(fc.dictionary(fc.stringMatching(/^[a-z]{1,5}$/), fc.oneof(fc.integer(), fc.boolean(), fc.string({ unit: 'binary' }), fc.double({ noNaN: true, noDefaultInfinity: true }))), async (map) => {
      const expected = Object.fromEntries(Object.entries(map).map(([key, value]) => [key, typeof value === 'string' ? value : JSON.stringify(value)]))
      expect(await flat(JSON.stringify(map), 'f.json')).toEqual(expected)
    }), { numRuns: 200 })
  })
})

describe('TOML', () => {
  test('tables, dotted keys and arrays of tables; integers of any size, the text of floats and dates', async () => {
    const text = [
      'a = 1.10', 'id = 12345678901234567890', 'hex = 0xff', 'big = 1_000_000', 'f = 1_0.5_0', 'inf = +inf', 'yes = true',
      '[T.u]', '"q.r".s = "x"', 'day = 1979-05-27T07:32:00Z', 'l = ["a", "b"]', 'm = [1, { y = "z" }]', 'text = """', 'one', 'two"""',
      '[[servers]]', 'name = "a"', '[servers.limits]', 'max = 1', '[[servers]]', 'name = "b"', '[v]', 'in = { p = 1, q.r = 2 }',
    ].join('\n')
    expect(await flat(text, 'f.toml')).toEqual({
      a: '1.10', id: '12345678901234567890', hex: '255', big: '1000000', f: '10.50', inf: '+inf', yes: 'true',
      't.u.q.r.s': 'x', 't.u.day': '1979-05-27T07:32:00Z', 't.u.l': 'a,b', 't.u.m': '[1,{"y":"z"}]', 't.u.text': 'one\ntwo',
      servers: '[{"name":"a","limits":{"max":1}},{"name":"b"}]', 'v.in.p': '1', 'v.in.q.r': '2',
    })
  })
})

describe('.env', () => {
  test('as dotenv reads it', async () => {
    const text = '# a comment\nA_B=1\n export B="x\\ny" # c\nC=\'q $A\'\nD = sp ace # c\nE="multi\nline"\nG=`b`\r\nEMPTY=\r\nURL=http://h/?a=b\n'
    expect(await flat(text, '.env')).toEqual({ 'a.b': '1', b: 'x\ny', c: 'q $A', d: 'sp ace', e: 'multi\nline', g: 'b', empty: '', url: 'http://h/?a=b' })
  })

  test('its variables name the parameters that are known, also those that a later file or declaration makes known', async () => {
    const params = createGlobalParamsTable({ env: { values: { APP_HTTP_PORT: '3' }, prefix: 'APP_' } })
    await params.loadText('APP_HTTP_PORT=1\nAPP_ETCD_ROOT_PATH=x\nOTHER=2\n', '.env.local', { prefix: 'APP_' })
    expect(valuesOf(params)).toEqual({ 'http.port': '3', 'etcd.root.path': 'x' })
    params.loadYamlText('etcd:\n  rootPath: y', 'a.yaml')
    expect(valuesOf(params)).toEqual({ 'http.port': '3', 'etcd.rootpath': 'y' })
    params.removeLayer('file', 'a.yaml')
    params.declare({ key: 'etcd.rootPath', type: 'string', default: 'z' })
    expect(params.explain('etcd.rootPath')).toMatchObject({ value: 'x', source: '.env.local:2:1', overrides: [{ value: 'z', source: 'default' }] })
    await expect(params.loadText('APP_ETCD_ROOTPATH=1\nAPP_ETCD_ROOT_PATH=2', '.env', { prefix: 'APP_' })).rejects.toThrow('.env:2:1: `etcd.rootpath` is also set by APP_ETCD_ROOTPATH')
  })
})

describe('refused with file, line and column', () => {
  const cases: readonly [string, ParamErrorCode, string, string, RegExp][] = [
    ['a duplicate in JSON', 'PARAM_JSON', 'f.json', '{"a": 1,\n "b": 2, "a": 3}', /^f.json:2:10: .*`a` is there twice/],
    ['a duplicate in other letters', 'PARAM_JSON', 'f.json', '{"a": {"b": 1},\n "A": {}}', /^f.json:2:2: .*twice/],
    ['a duplicate in another form', 'PARAM_JSON', 'f.json', '{"a": {"b": 1},\n "a.b": 2}', /^f.json:2:2: .*`a.b` is there twice/],
    ['broken JSON', 'PARAM_JSON', 'f.json', '{"a": 1,\n}', /^f.json:2:1: /],
    ['JSON with a leading zero', 'PARAM_JSON', 'f.json', '{"a": 0777}', /^f.json:1:7: /],
    ['JSON with a comment', 'PARAM_JSON', 'f.json', '{} // c', /^f.json:1:4: /],
    ['no JSON at all', 'PARAM_JSON', 'f.json', '', /^f.json:1:1: /],
    ['a list at the top', 'PARAM_JSON', 'f.json', '[1]', /^f.json:1:1: expected a map/],
    ['a lone surrogate', 'PARAM_JSON', 'f.json', '{"a": "\\ud800"}', /^f.json:1:2: .*surrogate/],
    ['an empty key', 'PARAM_JSON', 'f.json', '{"": 1}', /^f.json:1:2: expected `key`/],
    ['deep JSON', 'PARAM_JSON', 'f.json', `{"a": ${'['.repeat(100)}${']'.repeat(100)}}`, /nested more than 64/],
    ['absurdly deep JSON', 'PARAM_JSON', 'f.json', `{"a": ${'['.repeat(100_000)}`, /^f.json:/],
    ['a duplicate in TOML', 'PARAM_TOML', 'f.toml', 'a = 1\nb = 2\na = 3', /^f.toml:3:1: /],
    ['a table that is there twice', 'PARAM_TOML', 'f.toml', '[t]\nx = 1\n[t]', /^f.toml:3:/],
    ['a duplicate in other letters', 'PARAM_TOML', 'f.toml', 'a = 1\n  A = 3', /^f.toml:2:3: .*twice/],
    ['broken TOML', 'PARAM_TOML', 'f.toml', 'a = 1\nb = hello', /^f.toml:2:5: /],
    ['deep TOML', 'PARAM_TOML', 'f.toml', `a = ${'['.repeat(100)}${']'.repeat(100)}`, /nested more than 64/],
    ['a deep key', 'PARAM_TOML', 'f.toml', `${'a.'.repeat(100)}b = 1`, /nested more than 64/],
    ['a duplicate in .env', 'PARAM_DOTENV', '.env', 'A=1\nB=2\n A=1', /^.env:3:2: the variable A is there twice/],
    ['an open quote', 'PARAM_DOTENV', '.env', 'A=1\nB="x\nC=3', /^.env:2:3: the quote is never closed/],
    ['something behind a quote', 'PARAM_DOTENV', '.env', 'B="x" y', /^.env:1:6: /],
    ['a line that says nothing', 'PARAM_DOTENV', '.env', 'A=1\nB', /^.env:2:1: expected NAME=value/],
    ['a lone surrogate', 'PARAM_DOTENV', '.env', 'A=\ud800', /^.env:1:1: .*surrogate/],
    ['a name that cannot be', 'PARAM_DOTENV', '.env', '__proto__=1', /^.env:1:1: /],
  ]
  test.each(cases)('%s (%s)', async (_, code, name, text, message) => {
    const params = createGlobalParamsTable()
    params.save('kept', '1')
    const loading = params.loadText(text, name)
    await expect(loading).rejects.toThrow(message)
    await expect(loading).rejects.toSatisfy((error) => isParamError(error, code) && error.details['file'] === name && typeof error.details['column'] === 'number')
    expect(valuesOf(params)).toEqual({ kept: '1' })
  })

  test.each(['json', 'toml', 'dotenv', 'yaml'] as const)('a text of %s above the limit, and what is no text', async (format) => {
    const params = createGlobalParamsTable()
    await expect(params.loadText(' '.repeat((16 << 20) + 1), 'f', { format })).rejects.toSatisfy((error) => isParamError(error, 'PARAM_TOO_LARGE'))
    await expect(params.loadText(5 as never, 'f', { format })).rejects.toThrow(TypeError)
  })

  test('values that do not fit, from any format, with their places', async () => {
    const params = createGlobalParamsTable({ declarations: [{ key: 'http.port', type: 'int' }] })
    await expect(params.loadText('{"http": {\n"port": "x"}}', 'a.json')).rejects.toThrow('a.json:2:1: expected `http.port` to be a whole number')
    await expect(params.loadText('[http]\nport = 1.5', 'a.toml')).rejects.toThrow('a.toml:2:1: expected `http.port` to be a whole number')
    await expect(params.loadText('\nHTTP_PORT=1.5', '.env')).rejects.toThrow('.env:2:1: expected `http.port` to be a whole number')
  })

  test('random texts are values or our errors', async () => {
    const name: Readonly<Record<FileFormat, string>> = { json: 'f.json', toml: 'f.toml', dotenv: '.env', yaml: 'f.yaml' }
    const code: Readonly<Record<FileFormat, ParamErrorCode>> = { json: 'PARAM_JSON', toml: 'PARAM_TOML', dotenv: 'PARAM_DOTENV', yaml: 'PARAM_YAML' }
    const piece = fc.constantFrom('{', '}', '[', ']', '"', "'", '`', ':', ',', '=', '.', '\n', ' ', '#', '\\', 'a', 'B', '1', '0x', 'é', '\ud800', '__proto__', '"""', '&a', '*a', '<<', '- ', 'null')
    await fc.assert(fc.asyncProperty(fc.constantFrom<FileFormat>('json', 'toml', 'dotenv', 'yaml'), fc.array(piece, { maxLength: 20 }), async (format, pieces) => {
      const params = createGlobalParamsTable()
      await params.loadText(pieces.join(''), name[format]).catch((error: unknown) => {
        if (!isParamError(error, code[format]) && !isParamError(error, 'PARAM_INVALID')) throw error
      })
      expect(Object.prototype).not.toHaveProperty('a')
    }), { numRuns: 3_000 })
  })
})

describe('loadFile', () => {
  test('tells the format by the name, or is told', async () => {
    await withFolder(async (folder) => {
      const params = createGlobalParamsTable()
      for (const [name, text] of [['a.YML', 'x: a.YML'], ['b.json', '{"x": "b.json"}'], ['c.toml', 'x = "c.toml"'], ['.env', 'X=.env'], ['.env.local', 'X=.env.local'], ['d.env', 'X=d.env']] as const) {
        await writeFile(join(folder, name), text)
        await params.loadFile(join(folder, name))
        expect(params.load('x')).toBe(name)
      }
      await writeFile(join(folder, 'plain'), 'x = "g"')
      await expect(params.loadFile(join(folder, 'plain'))).rejects.toThrow(RangeError)
      await params.loadFile(join(folder, 'plain'), { format: 'toml' })
      expect(params.load('x')).toBe('g')
      expect(params.explain('x').overrides).toHaveLength(6)
      await expect(params.loadFile(join(folder, 'none.json'))).rejects.toSatisfy((error) => isParamError(error, 'PARAM_SOURCE_FAILED'))
      await writeFile(join(folder, 'latin.toml'), Uint8Array.from([0x61, 0xff]))
      await expect(params.loadFile(join(folder, 'latin.toml'))).rejects.toSatisfy((error) => isParamError(error, 'PARAM_SOURCE_FAILED'))
    })
  })

  test('refuses bad arguments and aborted signals', async () => {
    const params = createGlobalParamsTable()
    const reason = new Error('no')
    await expect(params.loadFile('a.json', { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    await expect(params.loadFile('a.json', { format: 'xml' as never })).rejects.toThrow('expected `format` to be one of yaml, json, toml, dotenv, got "xml" (string)')
    await expect(params.loadFile('.env', { prefix: 'a b' })).rejects.toThrow(TypeError)
    await expect(params.loadFile(7 as never)).rejects.toThrow(TypeError)
    await expect(params.loadFile('constructor')).rejects.toThrow(RangeError)
  })
})
