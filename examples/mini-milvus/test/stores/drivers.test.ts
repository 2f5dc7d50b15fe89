/** Drivers of servers are installed by whoever uses them: what is said where one is missing, and what there is without any. */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { runProgram, startProgram } from '../e2e/running-program.ts'

const hook = new URL('no-drivers.mjs', import.meta.url).href
const flagsOf = (settings: Readonly<Record<string, string>>): string[] => Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${value}`])

describe('without drivers', () => {
  it('a node that is alone needs none', async () => {
    const node = await startProgram(['--in-memory'], { nodeFlags: ['--import', hook] })
    const answer = await fetch(`http://${node.address}/v2/vectordb/collections/list`, { method: 'POST', body: '{}' })
    expect(await answer.json()).toMatchObject({ code: 0, data: [] })
    expect(await node.stop()).toBe(0)
  })

  it.each([
    [{ 'metastore.type': 'etcd', 'etcd.endpoints': '127.0.0.1:1' }, 'npm install etcd3'],
    [{ 'metastore.type': 'redis', 'redis.address': '127.0.0.1:1' }, 'npm install ioredis'],
    [{ 'mq.type': 'kafka', 'kafka.brokerList': '127.0.0.1:1' }, 'npm install kafkajs'],
    [{ 'mq.type': 'redis', 'redis.address': '127.0.0.1:1' }, 'npm install ioredis'],
    [{ 'storage.type': 's3', 'minio.address': '127.0.0.1:1', 'minio.accessKeyID': 'a', 'minio.secretAccessKey': 'b' }, 'npm install @aws-sdk/client-s3'],
  ])('%j: says what to install', async (settings, expected) => {
    const { code, stderr } = await runProgram(['--in-memory', '--port', '0', '--metrics-port', '0', ...flagsOf(settings)], { NODE_OPTIONS: `--import ${hook}` })
    expect(stderr).toContain(expected)
    expect(stderr.trimEnd().split('\n')).toHaveLength(1)
    expect(code).toBe(2)
  })

  it('are optional peers, each with a wide range', async () => {
    const manifest = JSON.parse(await readFile(fileURLToPath(new URL('../../package.json', import.meta.url)), 'utf8')) as { peerDependencies: Record<string, string>; peerDependenciesMeta: Record<string, { optional?: boolean }>; dependencies: Record<string, string> }
    for (const name of ['etcd3', 'ioredis', 'kafkajs', '@platformatic/kafka', 'pulsar-client', '@aws-sdk/client-s3']) {
      expect([name, manifest.peerDependencies[name]]).toEqual([name, expect.stringMatching(/^(\^|>=)/)])
      expect(manifest.peerDependenciesMeta[name]).toEqual({ optional: true })
      expect(manifest.dependencies[name]).toBeUndefined()
    }
  })
})
