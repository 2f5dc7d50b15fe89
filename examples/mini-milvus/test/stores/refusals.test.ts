/** Stores that cannot be opened: one clear sentence, in time, nothing left open, and no secret in it. */
import { createServer } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { failureOf } from '../../src/cli/exit.ts'
import { systemClock } from '../../src/edge/system.ts'
import { createParameters } from '../../src/node/parameters.ts'
import { openStores } from '../../src/node/stores.ts'

const nobody = '127.0.0.1:1'
const memory = { 'common.inMemory': 'true', 'redis.requestTimeout': '1s' }

function open(settings: Readonly<Record<string, string>>): Promise<unknown> {
  const parameters = createParameters({})
  for (const [key, value] of Object.entries({ ...memory, ...settings })) parameters.save(key, value)
  return openStores(parameters, systemClock)
}

async function refusal(settings: Readonly<Record<string, string>>): Promise<{ code: number; message: string; stack: string | undefined }> {
  try {
    await open(settings)
  } catch (error) {
    return failureOf(error)
  }
  throw new Error('it was opened')
}

const closers: (() => void)[] = []
afterEach(() => {
  for (const close of closers.splice(0)) close()
})

/** Takes connections and says nothing. */
async function silentServer(): Promise<string> {
  const server = createServer((socket) => socket.on('error', () => undefined))
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  closers.push(() => server.close())
  const address = server.address()
  return `127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}`
}

describe('stores', () => {
  it.each([
    [{ 'metastore.type': 'etcd', 'etcd.endpoints': nobody }, 'metastore.type=etcd: etcd.endpoints=127.0.0.1:1 cannot be used'],
    [{ 'metastore.type': 'redis', 'redis.address': nobody, 'redis.password': 'pass-w0rd' }, 'metastore.type=redis: redis.address=127.0.0.1:1 cannot be used'],
    [{ 'mq.type': 'redis', 'redis.address': nobody, 'redis.password': 'pass-w0rd' }, 'mq.type=redis: redis.address=127.0.0.1:1 cannot be used'],
    [{ 'mq.type': 'kafka', 'kafka.brokerList': nobody, 'kafka.requestTimeout': '2s' }, 'mq.type=kafka: kafka.brokerList=127.0.0.1:1 '],
    [{ 'mq.type': 'pulsar', 'pulsar.webaddress': `http://${nobody}` }, 'mq.type=pulsar: pulsar.webaddress=http://127.0.0.1:1 cannot be used'],
  ])('nobody answers: %j', { timeout: 30_000 }, async (settings, expected) => {
    const { code, message, stack } = await refusal(settings)
    expect(message).toContain(expected)
    expect(message).not.toContain('pass-w0rd')
    expect({ code, stack }).toEqual({ code: 6, stack: undefined })
  })

  it.each([
    ['metastore.type', 'etcd', 'etcd.endpoints'],
    ['metastore.type', 'redis', 'redis.address'],
    ['mq.type', 'kafka', 'kafka.brokerList'],
    ['mq.type', 'redis', 'redis.address'],
  ])('a server that never answers does not hold the start up: %s=%s', async (key, type, address) => {
    const { code, message } = await refusal({ [key]: type, [address]: await silentServer(), 'stores.openTimeout': '500ms' })
    expect(message).toMatch(/did not answer within 500 ms$/)
    expect(code).toBe(6)
  })

  it.each([
    [{ 'metastore.type': 'consul' }, /metastore.type/],
    [{ 'cluster.name': 'a.b', 'mq.type': 'redis' }, /expected cluster.name to be 1 to 32 of \[A-Za-z0-9_-\], got "a.b"/],
    [{ 'cluster.name': '' }, /expected cluster.name/],
    [{ 'metastore.type': 'etcd', 'etcd.endpoints': 'one:2379,two' }, /expected etcd.endpoints to be host:port, got "two"/],
    [{ 'metastore.type': 'etcd', 'etcd.endpoints': '' }, /etcd.endpoints/],
    [{ 'metastore.type': 'etcd', 'etcd.endpoints': 'http://root:secret@one:2379' }, /expected etcd.endpoints to be host:port/],
    [{ 'metastore.type': 'etcd', 'etcd.rootPath': '/a//b' }, /expected etcd.rootPath/],
    [{ 'metastore.type': 'etcd', 'etcd.ssl.tlsCACert': '/nonexistent.pem' }, /etcd.ssl.tlsCACert: ENOENT/],
    [{ 'metastore.type': 'redis', 'redis.address': 'redis://host' }, /expected redis.address to be host:port/],
    [{ 'mq.type': 'kafka', 'kafka.brokerList': 'host:99999' }, /expected kafka.brokerList to be host:port/],
    [{ 'mq.type': 'kafka', 'kafka.brokerList': 'host:9092', 'kafka.securityProtocol': 'SASL_SSL' }, /expected kafka.saslUsername/],
    [{ 'mq.type': 'pulsar', 'pulsar.webaddress': 'pulsar://x:6650' }, /expected pulsar.webaddress to be http/],
    [{ 'mq.type': 'pulsar', 'pulsar.namespace': 'a b' }, /namespace/],
    [{ 'storage.type': 'shared' }, /expected sharedStorage.path to be a folder/],
  ])('says what a parameter should be: %j', async (settings, expected) => {
    const { code, message, stack } = await refusal(settings)
    expect(message).toMatch(expected)
    expect({ code, stack }).toEqual({ code: 2, stack: undefined })
  })

  it('masks what is secret', () => {
    const parameters = createParameters({})
    for (const key of ['etcd.auth.password', 'redis.password', 'kafka.saslPassword', 'pulsar.token']) {
      parameters.save(key, 'pass-w0rd')
      expect(JSON.stringify(parameters.explain(key)), `of ${key}`).not.toContain('pass-w0rd')
    }
  })
})
