/** The program as its users meet it: start, refusals with their exit codes, shutdown, and no word to the outside. */
import { createHash } from 'node:crypto'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { runProgram, startProgram } from './running-program.ts'

let folder = ''
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'timetick-program-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

async function contentsOf(path: string): Promise<string[]> {
  const names = (await readdir(path, { recursive: true })).sort()
  return Promise.all(
    names.map(async (name) => ((await stat(join(path, name))).isFile() ? `${name} ${createHash('sha1').update(await readFile(join(path, name))).digest('hex')}` : name)),
  )
}

describe('the program', () => {
  it('says where it serves, and stops in order at the first signal', async () => {
    const node = await startProgram(['--data-dir', join(folder, 'plain')])
    expect(node.ready).toMatchObject({ event: 'ready', collections: 0, dataDir: join(folder, 'plain') })
    expect(node.ready.elapsedMs).toBeLessThan(20_000)
    const answer = await fetch(`http://${node.address}/v2/vectordb/collections/list`, { method: 'POST', body: '{}' })
    expect(await answer.json()).toMatchObject({ code: 0, data: [] })
    const health = await fetch(`http://${node.ready.metricsAddress}/healthz`)
    expect(await health.text()).toBe('OK')
    const metrics = await (await fetch(`http://${node.ready.metricsAddress}/metrics`)).text()
    expect(metrics).toContain('milvus_rootcoord_collection_num 0')
    expect(await node.stop()).toBe(0)
  })

  it('D1: tells who has the folder, and the port, by exit code and in one line', async () => {
    const data = join(folder, 'busy')
    const node = await startProgram(['--data-dir', data])
    const second = await runProgram(['--data-dir', data, '--port', '0', '--metrics-port', '0'])
    expect({ code: second.code, stdout: second.stdout }).toEqual({ code: 4, stdout: '' })
    expect(second.stderr).toMatch(new RegExp(`^mini-milvus: ${data} is in use by process ${node.child.pid} on \\S+, since \\d{4}-[^ ]+Z\\n$`))
    const port = node.address.split(':')[1] ?? ''
    const third = await runProgram(['--in-memory', '--port', port, '--metrics-port', '0'])
    expect(third.code).toBe(3)
    expect(third.stderr).toContain(`${port} is in use; try --port ${Number(port) + 1} or --port 0`)
    await node.stop('SIGKILL')
    // The kernel freed the lock with the process: the first try works, and says whose folder it was.
    const after = await startProgram(['--data-dir', data])
    expect(await after.stop()).toBe(0)
    expect(after.errors()).toContain(`took over ${data}: process ${node.child.pid} on`)
    const last = await startProgram(['--data-dir', data])
    expect(await last.stop()).toBe(0)
    expect(last.errors()).not.toContain('took over')
  })

  it('refuses a newer data format before it touches anything', async () => {
    const data = join(folder, 'newer')
    await (await startProgram(['--data-dir', data])).stop()
    const manifest = join(data, 'log', 'manifest.json')
    await writeFile(manifest, JSON.stringify({ format: 999, version: 999 }))
    const refused = await runProgram(['--data-dir', data, '--port', '0', '--metrics-port', '0'])
    expect(refused.code).toBe(5)
  })

  it('D13: refuses a folder of a newer release without changing a byte of it', async () => {
    const data = join(folder, 'future')
    await (await startProgram(['--data-dir', data])).stop()
    await writeFile(join(data, 'format.json'), '{"format":3,"by":"9.0.0"}')
    const before = await contentsOf(data)
    const refused = await runProgram(['--data-dir', data, '--port', '0', '--metrics-port', '0'])
    expect(refused.code).toBe(5)
    expect(refused.stderr).toMatch(/data format 3 by its format\.json, written by mini-milvus 9\.0\.0; this release .* knows formats up to 2\. Nothing was changed/)
    expect(await contentsOf(data)).toEqual(before)
    expect((await runProgram(['check', data])).code).toBe(5)
  })

  it('doctor tells what is in the way', async () => {
    const node = await startProgram(['--data-dir', join(folder, 'doctor')])
    const port = node.address.split(':')[1] ?? ''
    const sick = await runProgram(['doctor', '--json', '--port', port, '--metrics-port', '0', '--data-dir', join(folder, 'doctor')])
    const findings = JSON.parse(sick.stdout) as { name: string; state: string; detail: string }[]
    expect(findings.find(({ name }) => name === 'port of gRPC and REST')).toMatchObject({ state: 'fail', detail: `${port} is in use` })
    expect(findings.find(({ name }) => name === 'last run')?.detail).toContain(`process ${node.child.pid}`)
    expect(findings.find(({ name }) => name === 'lmdb')?.state).toBe('ok')
    expect(sick.code).toBe(2)
    await node.stop()
    const well = await runProgram(['doctor', '--port', '0', '--metrics-port', '0', '--data-dir', join(folder, 'doctor')])
    expect(well.stdout).toMatch(/^(ok|warn) +Node/)
    expect(well.code).toBe(0)
  })

  it('export writes every row once, with whole numbers as they are; check reads the folder and names damage', async () => {
    const data = join(folder, 'exported')
    const node = await startProgram(['--data-dir', data])
    const post = async (path: string, body: object): Promise<unknown> => (await fetch(`http://${node.address}/v2/vectordb/${path}`, { method: 'POST', body: JSON.stringify(body) })).json()
    await post('collections/create', { collectionName: 'points', dimension: 2, metricType: 'L2' })
    const rows = Array.from({ length: 1203 }, (_, index) => ({ id: String(9_007_199_254_740_993n + BigInt(index)), vector: [index, 0.5], note: `row ${index}` }))
    expect(await post('entities/insert', { collectionName: 'points', data: rows })).toMatchObject({ code: 0 })
    const file = join(folder, 'points.jsonl')
    const exported = await runProgram(['export', 'points', '--address', node.address, '--output', file])
    expect(exported).toMatchObject({ code: 0, stdout: '' })
    const lines = (await readFile(file, 'utf8')).trimEnd().split('\n')
    expect(lines).toHaveLength(1203)
    expect(lines[0]).toContain('9007199254740993')
    expect(new Set(lines).size).toBe(1203)
    expect(JSON.parse(lines[1202] ?? '')).toMatchObject({ vector: [1202, 0.5], note: 'row 1202' })
    expect((await runProgram(['export', 'missing', '--address', node.address])).code).toBe(5)
    expect((await runProgram(['check', data])).code).toBe(4)
    expect(await post('collections/flush', { collectionName: 'points' })).toMatchObject({ code: 0 })
    await node.stop()
    const whole = await runProgram(['check', data, '--json'])
    expect(JSON.parse(whole.stdout)).toMatchObject({ collections: 1, rows: 1203, damage: [] })
    expect(whole.code).toBe(0)
    const [name = ''] = (await readdir(join(data, 'objects'), { recursive: true })).filter((path) => path.endsWith('rows.arrow'))
    const bytes = await readFile(join(data, 'objects', name))
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1
    await writeFile(join(data, 'objects', name), bytes)
    const damaged = await runProgram(['check', data])
    expect(damaged.stdout).toContain(name)
    expect(damaged.code).toBe(5)
    expect((await runProgram(['check', join(folder, 'nothing')])).code).toBe(5)
  })

  it.each(['bash', 'zsh', 'fish'])('completes in %s', async (shell) => {
    const { code, stdout } = await runProgram(['completion', shell])
    expect(code).toBe(0)
    for (const word of ['doctor', 'check', 'export', 'data-dir']) expect(stdout).toContain(word)
  })

  it('suggests what may have been meant', async () => {
    expect(await runProgram(['--prot', '1'])).toMatchObject({ code: 2, stderr: expect.stringContaining('--port') as string })
    expect((await runProgram(['completion', 'tcsh'])).code).toBe(2)
  })

  it.each([
    [['--port', 'abc'], /expected `proxy.port` to be a whole number/],
    [['--port', '70000'], /proxy.port/],
    [['--set', 'proxy.prot=1'], /proxy.port/],
    [['--set', 'novalue'], /expected key=value/],
    [['--config', '/nonexistent/mini-milvus.yaml'], /mini-milvus.yaml/],
    [['--host', '0.0.0.0'], /authorization is off/],
    [['--no-such-flag'], /unknown option/],
  ])('ends with 2 and says what was expected for %j', async (flags, message) => {
    const { code, stderr } = await runProgram(flags)
    expect(stderr).toMatch(message)
    expect(code).toBe(2)
    expect(stderr).not.toMatch(/\n\s+at /)
  })

  it('takes flags over environment over file over defaults, and explains which', async () => {
    const file = join(folder, 'settings.yaml')
    await writeFile(file, 'proxy:\n  port: 1111\ncommon:\n  gracefulTime: 7s\nlog:\n  level: warn\n')
    const env = { MINI_MILVUS_PROXY_PORT: '2222', MINI_MILVUS_LOG_LEVEL: 'error' }
    const port = await runProgram(['config', 'proxy.port', '--config', file, '--port', '3333'], env)
    expect(port.stdout).toMatch(/^proxy\.port = 3333 {2}from --port\n.*2222 from .*MINI_MILVUS_PROXY_PORT.*\n.*1111 from .*settings\.yaml:2/)
    const level = await runProgram(['config', 'log.level', '--config', file], env)
    expect(level.stdout).toContain('log.level = error')
    const all = await runProgram(['config', '--config', file], env)
    expect(all.stdout).toMatch(/common\.gracefulTime\s+7s\s+\(.*settings\.yaml:4/)
  })

  it('prints help and versions', async () => {
    const help = await runProgram(['--help'])
    expect(help.code).toBe(0)
    expect(help.stdout).toContain('Exit codes: 0 stopped')
    const version = await runProgram(['--version'])
    expect(version.stdout).toMatch(/^mini-milvus \d+\.\d+\.\d+, Node v/)
  })

  it('never connects or resolves a name outside this machine', async () => {
    const hook = fileURLToPath(new URL('no-outbound.mjs', import.meta.url))
    const node = await startProgram(['--data-dir', join(folder, 'quiet')], { nodeFlags: ['--import', hook] })
    await (await fetch(`http://${node.address}/v2/vectordb/collections/list`, { method: 'POST', body: '{}' })).json()
    expect(await node.stop()).toBe(0)
  })
})
