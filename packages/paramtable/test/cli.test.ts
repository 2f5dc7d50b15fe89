import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runCli } from '../src/cli/run.ts'
import { world } from '../src/cli/world.edge.ts'
import { withFolder } from './helpers.ts'

const declarations = `export default [
  { key: 'http.port', type: 'int', default: 80, min: 0, max: 65535, doc: 'Port to listen on.', deprecatedKeys: ['port'] },
  { key: 'cache.size', type: 'bytes', default: '16m' },
  { key: 'db.password', type: 'string', secret: true },
  { key: 'db.host', type: 'string' },
]`

let folder = ''
let done = (): void => {}
beforeAll(async () => {
  await new Promise<void>((ready) => {
    void withFolder(async (path) => {
      folder = path
      await writeFile(join(path, 'declarations.mjs'), declarations)
      await writeFile(join(path, 'a.yaml'), 'port: 8000\ndb:\n  password: hunter2\n  host: "a b "\n')
      await writeFile(join(path, 'b.toml'), '[cache]\nsize = "64m"\n')
      await writeFile(join(path, 'bad.yaml'), 'http:\n  port: x\n  prot: 1\ndb:\n  password: hunter2\n')
      await writeFile(join(path, 'broken.json'), '{"db": {\n"password": hunter2}}')
      const held = new Promise<void>((resolve) => (done = resolve))
      ready()
      await held
    })
  })
})
afterAll(() => done())

async function run(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  let [out, err] = ['', '']
  const code = await runCli(argv.map((arg) => arg.replace('@', `${folder}/`)), {
    ...world,
    environment: { APP_CACHE_SIZE: '1g', APP_DB_PASSWORD: 'hunter3', PATH: '/bin' },
    out: (text) => void (out += text),
    err: (text) => void (err += text),
  })
  expect(out + err).not.toMatch(/hunter/)
  return { code, out: out.replaceAll(`${folder}/`, '@'), err: err.replaceAll(`${folder}/`, '@') }
}

const sources = ['-d', '@declarations.mjs', '-f', '@a.yaml', '-f', '@b.toml', '-e', 'APP_']

describe('paramtable explain', () => {
  test('says value, source and what is hidden, also under a deprecated name', async () => {
    const { code, out } = await run('explain', 'PORT', 'cache.size', ...sources)
    expect(out).toBe([
      'http.port = 8000', '  from @a.yaml:1:1 (under its deprecated name port)', '  hides 80 from default',
      'cache.size = 1g', '  from environment variable APP_CACHE_SIZE', '  hides 64m from @b.toml:2:1', '  hides 16m from default', '',
    ].join('\n'))
    expect(code).toBe(0)
  })

  test('masks secrets, shows spaces, and explains everything without a key', async () => {
    const { code, out } = await run('explain', ...sources)
    expect(code).toBe(0)
    expect(out).toContain('db.password = ******\n  from environment variable APP_DB_PASSWORD\n  hides ****** from @a.yaml:3:3\n')
    expect(out).toContain('db.host = "a b "\n')
    expect(JSON.parse((await run('explain', '--json', ...sources)).out)).toMatchObject([{ key: 'cache.size' }, { key: 'db.host' }, { key: 'db.password', value: '******' }, { key: 'http.port', deprecatedKey: 'port' }])
  })

  test('a key without a value is exit code 1, with the nearest name where the table is strict', async () => {
    expect(await run('explain', 'db.host', '-d', '@declarations.mjs')).toEqual({ code: 1, out: 'db.host has no value\n', err: '' })
    expect(await run('explain', 'htp.port', '-d', '@declarations.mjs', '--strict')).toMatchObject({ code: 1, err: 'no parameter `htp.port` is declared; did you mean `http.port`?\n' })
  })
})

describe('paramtable dump', () => {
  test('gives all values, flags over all', async () => {
    const { code, out } = await run('dump', '--set', 'http.port=81', ...sources)
    expect(out).toBe('cache.size = 1g\ndb.host = "a b "\ndb.password = ******\nhttp.port = 81\n')
    expect(code).toBe(0)
    expect(JSON.parse((await run('dump', '--json', ...sources)).out)).toEqual({ 'cache.size': '1g', 'db.host': 'a b ', 'db.password': '******', 'http.port': '8000' })
  })

  test('says what it could not take', async () => {
    const { code, out, err } = await run('dump', '-f', '@broken.json', '-f', '@none.yaml', '-f', '@b.toml')
    expect([code, out]).toEqual([1, 'cache.size = 64m\n'])
    expect(err).toMatch(/^@broken\.json:2:13: .*\n.*none\.yaml.*ENOENT/)
  })
})

describe('paramtable check', () => {
  test('is content, and names deprecated keys', async () => {
    expect(await run('check', ...sources)).toEqual({ code: 0, out: '4 parameters, 0 refused, 1 under deprecated names\n', err: '@a.yaml:1:1: `port` is deprecated, now `http.port`\n' })
    expect(JSON.parse((await run('check', '--json', ...sources)).out)).toMatchObject({ ok: true, problems: [], deprecations: [{ key: 'http.port' }] })
  })

  test('names everything that is refused, in every source', async () => {
    const { code, err } = await run('check', '-d', '@declarations.mjs', '--strict', '-f', '@bad.yaml', '-f', '@broken.json', '-s', 'cache.size=much', '-e', 'APP_')
    expect(code).toBe(1)
    expect(err.split('\n')).toEqual([
      '@bad.yaml:2:3: expected `http.port` to be a whole number in decimal digits, got "x" (string)',
      '@bad.yaml:3:3: no parameter `http.prot` is declared; did you mean `http.port`?',
      expect.stringMatching(/^@broken\.json:2:13: /),
      expect.stringMatching(/^--set cache\.size: expected `cache\.size` to be a size /),
      '',
    ])
    expect(JSON.parse((await run('check', '--json', '-f', '@broken.json')).out)).toMatchObject({ ok: false, problems: [{ code: 'PARAM_JSON', source: expect.stringMatching(/:2:13$/) }] })
  })
})

test('paramtable describe gives a reference, an example file and a schema', async () => {
  expect((await run('describe', '-d', '@declarations.mjs')).out).toContain('| `http.port` | int | `80` | 0..65535 | Port to listen on. Formerly `port`. |')
  expect((await run('describe', '-d', '@declarations.mjs', '--format', 'yaml')).out).toContain('http:\n  # Port to listen on.\n  # int; 0..65535\n  port: 80\n')
  expect(JSON.parse((await run('describe', '-d', '@declarations.mjs', '--format', 'json-schema')).out)).toHaveProperty('properties.http.properties.port.maximum', 65_535)
})

describe('wrong usage', () => {
  test('is exit code 2, with help', async () => {
    await writeFile(join(folder, 'wrong.json'), '{}')
    await writeFile(join(folder, 'contradiction.json'), '[{"key": "a", "type": "int", "default": "x"}]')
    const wrong: readonly (readonly [string[], string])[] = [
      [[], 'no command'],
      [['what'], 'unknown command "what"'],
      [['dump', 'key'], 'dump takes no keys'],
      [['dump', '--nope'], '--nope'],
      [['dump', '--set', 'hunter2'], 'expected --set KEY=VALUE'],
      [['dump', '-f', 'x.pdf'], 'expected `format`'],
      [['describe', '--format', 'xml'], 'expected --format'],
      [['check', '-d', '@missing.mjs'], '--declarations'],
      [['check', '-d', '@wrong.json'], 'expected an array'],
      [['check', '-d', '@contradiction.json'], 'expected the default of `a`'],
      [['check', '-e', 'a b'], 'env.prefix'],
    ]
    for (const [argv, message] of wrong) {
      const { code, err, out } = await run(...argv)
      expect([argv, code, out]).toEqual([argv, 2, ''])
      expect(err).toContain(message)
      expect(err).toContain('Usage: paramtable')
    }
    expect(await run('--help')).toMatchObject({ code: 0, err: '', out: expect.stringContaining('Usage: paramtable') as string })
  })
})

test('the program itself', async () => {
  const bin = fileURLToPath(new URL('../dist/bin.js', import.meta.url))
  if (!existsSync(bin)) throw new Error('build the package first: this runs the built program')
  const call = promisify(execFile)
  expect((await call(process.execPath, [bin, 'dump', '-f', 'b.toml'], { cwd: folder })).stdout).toBe('cache.size = 64m\n')
  await expect(call(process.execPath, [bin, 'check', '-f', 'broken.json'], { cwd: folder })).rejects.toMatchObject({ code: 1 })
  await expect(call(process.execPath, [bin], { cwd: folder })).rejects.toMatchObject({ code: 2 })
})
