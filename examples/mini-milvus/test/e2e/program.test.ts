/** The program as its users meet it: start, refusals with their exit codes, shutdown, and no word to the outside. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
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

describe('the program', () => {
  it('says where it serves, and stops in order at the first signal', async () => {
    const node = await startProgram(['--data-dir', join(folder, 'plain')])
    expect(node.ready).toMatchObject({ event: 'ready', collections: 0, dataDir: join(folder, 'plain') })
    expect(node.ready.elapsedMs).toBeLessThan(3000)
    const answer = await fetch(`http://${node.address}/v2/vectordb/collections/list`, { method: 'POST', body: '{}' })
    expect(await answer.json()).toMatchObject({ code: 0, data: [] })
    const health = await fetch(`http://${node.ready.metricsAddress}/healthz`)
    expect(await health.text()).toBe('OK')
    const metrics = await (await fetch(`http://${node.ready.metricsAddress}/metrics`)).text()
    expect(metrics).toContain('milvus_rootcoord_collection_num 0')
    expect(await node.stop()).toBe(0)
  })

  it('tells who has the folder, and the port, by exit code and in one line', async () => {
    const data = join(folder, 'busy')
    const node = await startProgram(['--data-dir', data])
    const second = await runProgram(['--data-dir', data, '--port', '0', '--metrics-port', '0'])
    expect(second.code).toBe(4)
    expect(second.stderr).toMatch(new RegExp(`in process ${node.child.pid}\\n$`))
    const port = node.address.split(':')[1] ?? ''
    const third = await runProgram(['--in-memory', '--port', port, '--metrics-port', '0'])
    expect(third.code).toBe(3)
    expect(third.stderr).toContain(`${port} is in use; try --port ${Number(port) + 1} or --port 0`)
    await node.stop('SIGKILL')
    // The kernel freed the lock with the process: the first try works.
    expect(await (await startProgram(['--data-dir', data])).stop()).toBe(0)
  })

  it('refuses a newer data format before it touches anything', async () => {
    const data = join(folder, 'newer')
    await (await startProgram(['--data-dir', data])).stop()
    const manifest = join(data, 'log', 'manifest.json')
    await writeFile(manifest, JSON.stringify({ format: 999, version: 999 }))
    const refused = await runProgram(['--data-dir', data, '--port', '0', '--metrics-port', '0'])
    expect(refused.code).toBe(5)
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
