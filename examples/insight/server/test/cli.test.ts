import { once } from 'node:events'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { runCli } from '../src/edge/cli.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
  vi.restoreAllMocks()
})

/** What the program says, on either stream. */
function listen(): string[] {
  const said: string[] = []
  const add = (...parts: unknown[]) => void said.push(parts.map(String).join(' '))
  vi.spyOn(console, 'log').mockImplementation(add)
  vi.spyOn(console, 'error').mockImplementation(add)
  const write = (text: string | Uint8Array) => (said.push(String(text)), true)
  vi.spyOn(process.stdout, 'write').mockImplementation(write)
  vi.spyOn(process.stderr, 'write').mockImplementation(write)
  return said
}

async function run(...args: string[]) {
  const said = listen()
  let stop = (): void => undefined
  const code = runCli(['--port', '0', ...args], new Promise((resolve) => (stop = resolve)))
  cleanups.push(async () => (stop(), code))
  const address = () => /http:\/\/([^/]+)\//.exec(said.join('\n'))?.[1]
  await expect.poll(address).toBeDefined()
  const get = (path: string, headers: Record<string, string> = {}) => fetch(`http://${address()}${path}`, { headers })
  const status = async (id: string) => (await (await get(`/insight/v1/clusters/${id}`)).json()) as { state: string; error: string | null }
  return { get, status, said, end: async () => (stop(), code) }
}

/** Takes connections, and does what it is told with them. */
async function fakeTarget(onSocket: (socket: Socket) => void): Promise<string> {
  const server: Server = createServer(onSocket)
  const sockets = new Set<{ destroy(): void }>()
  server.on('connection', (socket) => sockets.add(socket.on('error', () => undefined)))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return `127.0.0.1:${(server.address() as AddressInfo).port}`
}

describe('the program', () => {
  test('U3 --help names every option with what it is for', async () => {
    const said = listen()
    expect(await runCli(['--help'])).toBe(0)
    const text = said.join('')
    for (const flag of ['--cluster', '--host', '--port', '--data-dir', '--token', '--milvus-token', '--milvus-ca', '--timeout', '--actions', '--allow-remote', '--allow-host', '--allow-origin', '--base-path', '--interval']) expect(text).toMatch(new RegExp(`${flag} ?.*\\w+`))
  })

  test.each([
    [['--cluster', 'dev'], 'expected name=address'],
    [['--cluster', 'dev=:::'], 'expected an address'],
    [['--cluster', 'a b=127.0.0.1'], 'expected name=address'],
    [['--port', '70000'], 'expected an integer in 0..65535'],
    [['--port', 'x'], 'expected an integer'],
    [['--interval', '1'], 'expected an integer in 250'],
    [['--timeout', '0'], 'expected an integer in 100'],
    [['--base-path', 'x/../y'], 'expected a path like /milvus'],
    [['--nothing'], "unknown option '--nothing'"],
    [['--host', '0.0.0.0'], 'give a --token'],
  ])('bad use ends with 2, and says what was expected: %j', async (args, text) => {
    const said = listen()
    expect(await runCli(args)).toBe(2)
    expect(said.join('\n')).toContain(text)
  })

  test('a port that is taken ends with 3', async () => {
    const taken = await fakeTarget(() => undefined)
    const said = listen()
    expect(await runCli(['--port', taken.split(':')[1] ?? ''])).toBe(3)
    expect(said.join('\n')).toContain('choose another with --port')
  })

  test('targets that are not there, hang, hang up or talk nonsense: each is stale and says why, and the server answers', async () => {
    const silent = await fakeTarget(() => undefined)
    const rude = await fakeTarget((socket) => void socket.destroy())
    const noise = await fakeTarget((socket) => void socket.write('HTTP/1.0 200 OK\r\n\r\nhello'))
    const targets = { gone: '127.0.0.1:1', silent, rude, noise, secure: `https://${noise}` }
    const { get, status, end } = await run('--timeout', '600', ...Object.entries(targets).flatMap(([id, address]) => ['--cluster', `${id}=${address}`]))
    for (const id of Object.keys(targets)) await get(`/insight/v1/clusters/${id}/collections`)
    for (const id of Object.keys(targets)) {
      await expect.poll(() => status(id)).toMatchObject({ state: 'stale', error: expect.stringMatching(/\w+/) })
      expect((await get(`/insight/v1/clusters/${id}/collections`)).status).toBe(200)
    }
    expect((await get('/healthz')).status).toBe(200)
    // What nobody looks at for a while is stopped: looked at again first.
    const look = async (path: string) => {
      for (const id of Object.keys(targets)) await get(`/insight/v1/clusters/${id}/collections`)
      const answer = await get(path)
      return [answer.status, await answer.text()]
    }
    await expect.poll(async () => JSON.parse(String((await look('/readyz'))[1])) as unknown).toMatchObject({ ready: true, clusters: { gone: 'stale', silent: 'stale' } })
    await expect.poll(() => look('/metrics')).toEqual([200, expect.stringMatching(/^insight_events_total\{cluster="silent"\} \d+$/m)])
    await expect.poll(() => look('/metrics')).toEqual([200, expect.stringContaining('insight_cluster_up{cluster="gone"} 0')])
    expect(await end()).toBe(0)
  })

  test('with a token, metrics are for who has it; probes are for all', async () => {
    const { get } = await run('--token', 'secret', '--cluster', 'dev=127.0.0.1:1')
    expect((await get('/metrics')).status).toBe(401)
    const metrics = await get('/metrics', { authorization: 'Bearer secret' })
    expect([metrics.status, metrics.headers.get('content-type')]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8'])
    for (const probe of ['/healthz', '/livez', '/readyz']) expect((await get(probe)).status).toBe(200)
    expect((await get('/nothing')).status).toBe(404)
  })
})
