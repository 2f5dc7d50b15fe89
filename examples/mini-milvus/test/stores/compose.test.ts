/** What docker-compose.cluster.yml starts, started here: the same command lines and environments, with the addresses of the tests' servers. */
import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { MilvusClient } from '@zilliz/milvus2-sdk-node'
import { describe, expect, it, onTestFinished } from 'vitest'
import { parse } from 'yaml'
import { program, startProcess, type RunningProgram } from '../e2e/program-process.ts'
import { hasServices, ring, runId, s3Keys, serviceAddress } from './services.edge.ts'

interface Service {
  readonly command?: string | readonly string[]
  readonly environment?: Readonly<Record<string, string | number>>
  readonly build?: { readonly dockerfile_inline?: string }
  readonly ports?: readonly string[]
  readonly configs?: readonly { readonly source: string; readonly target: string }[]
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>
  readonly configs: Readonly<Record<string, { readonly content?: string; readonly file?: string }>>
}

async function compose(): Promise<Compose> {
  const text = await readFile(fileURLToPath(new URL('../../../../docker-compose.cluster.yml', import.meta.url)), 'utf8')
  // As Compose fills in variables that nobody has set.
  return parse(text.replaceAll(/\$\{\w+:-([^}]*)\}/g, '$1'), { merge: true }) as Compose
}

/** What is another here than in containers: where servers and processes listen and are reached. */
function environmentOf(given: Service['environment'] = {}): Record<string, string> {
  const here: Readonly<Record<string, string>> = {
    MINI_MILVUS_CLUSTER_NAME: `compose-${runId}`,
    MINI_MILVUS_ETCD_ENDPOINTS: serviceAddress('etcd'),
    MINI_MILVUS_KAFKA_BROKERLIST: serviceAddress('kafka'),
    MINI_MILVUS_MINIO_ADDRESS: serviceAddress('s3'),
    MINI_MILVUS_MINIO_ACCESSKEYID: s3Keys.id,
    MINI_MILVUS_MINIO_SECRETACCESSKEY: s3Keys.secret,
    MINI_MILVUS_PROXY_HOST: '127.0.0.1',
    MINI_MILVUS_CLUSTER_INTERNALHOST: '127.0.0.1',
    MINI_MILVUS_CLUSTER_INTERNALPORT: '0',
    MINI_MILVUS_CLUSTER_ADVERTISEADDRESS: '',
  }
  return Object.fromEntries(Object.entries(given).map(([name, value]) => [name, here[name] ?? String(value)]))
}

const isNode = (name: string): boolean => /^(coordinator|data|query|proxy)-\d$/.test(name)
const isAsked = ring !== 'default' && hasServices('etcd', 'kafka', 's3')

describe('docker-compose.cluster.yml', () => {
  it.runIf(isAsked)('starts a cluster that both proxies serve', { timeout: 300_000 }, async () => {
    const nodes = Object.entries((await compose()).services).filter(([name]) => isNode(name))
    expect(nodes).toHaveLength(9)
    const running = new Map<string, RunningProgram>()
    onTestFinished(async () => {
      await Promise.all([...running.values()].map((one) => one.stop('SIGKILL')))
    })
    await Promise.all(nodes.map(async ([name, { command, environment }]) => {
      running.set(name, await startProcess(Array.isArray(command) ? (command as readonly string[]) : [], { env: { ...process.env, ...environmentOf(environment) } }))
    }))
    const addresses = ['proxy-1', 'proxy-2'].map((name) => running.get(name)?.address ?? '')
    const collection_name = 'composed'
    const [one, two] = addresses.map((address) => new MilvusClient({ address, logLevel: 'error' })) as [MilvusClient, MilvusClient]
    expect((await one.createCollection({ collection_name, dimension: 2, metric_type: 'L2', consistency_level: 'Strong' })).reason).toBe('')
    expect((await one.insert({ collection_name, data: [{ id: 1, vector: [1, 1] }, { id: 2, vector: [2, 2] }] })).status.reason).toBe('')
    await expect.poll(async () => (await two.count({ collection_name })).data, { timeout: 60_000 }).toBe(2)
    for (const { ready } of running.values()) expect(await (await fetch(`http://${ready.metricsAddress}/healthz`)).text()).toBe('OK')
    await Promise.all([one, two].map((client) => client.closeConnection()))
    const codes = await Promise.all([...running].map(async ([name, node]) => [name, await node.stop('SIGTERM')]))
    expect(codes).toEqual(codes.map(([name]) => [name, 0]))
    running.clear()
  })

  it('runs what is built, and serves what it publishes', async () => {
    const { services } = await compose()
    for (const [, { build, ports }] of Object.entries(services).filter(([name]) => isNode(name))) {
      const entry = /ENTRYPOINT \["node", "([^"]+)"\]/.exec(build?.dockerfile_inline ?? '')?.[1]
      expect(program.endsWith(`/${entry}`)).toBe(true)
      for (const port of ports ?? []) expect(port).toMatch(/:(19530|9091)$/)
    }
  })

  it('tells Prometheus and Grafana what they understand', async () => {
    const { services, configs } = await compose()
    const prometheus = parse(configs['prometheus']?.content ?? '') as { global: { scrape_interval: string }; scrape_configs: { job_name: string; static_configs: { targets: string[]; labels: Record<string, string> }[] }[] }
    expect(prometheus.global.scrape_interval).toMatch(/^\d+s$/)
    for (const { job_name, static_configs } of prometheus.scrape_configs) {
      expect(job_name).toMatch(/^[\w-]+$/)
      for (const { targets, labels } of static_configs) {
        for (const target of targets) expect(Object.keys(services)).toContain(/^([\w-]+):9091$/.exec(target)?.[1])
        for (const name of Object.keys(labels)) expect(name).toMatch(/^[a-z_]\w*$/)
      }
    }
    const grafana = parse(configs['grafana']?.content ?? '') as { apiVersion: number; datasources: { uid: string; type: string; access: string; url: string; isDefault: boolean }[] }
    expect(grafana.apiVersion).toBe(1)
    expect(grafana.datasources.filter(({ isDefault }) => isDefault)).toHaveLength(1)
    for (const { type, access, url } of grafana.datasources) {
      expect([type, access]).toEqual(['prometheus', 'proxy'])
      expect(Object.keys(services)).toContain(new URL(url).hostname)
    }
    const { providers } = parse(configs['grafana-dashboards']?.content ?? '') as { providers: { options: { path: string } }[] }
    expect((services['grafana']?.configs ?? []).map(({ target }) => path.dirname(target))).toContain(providers[0]?.options.path)
    const file = fileURLToPath(new URL(`../../../../${configs['grafana-dashboard']?.file}`, import.meta.url))
    expect(await readFile(file, 'utf8')).toContain(`"uid": "${grafana.datasources[0]?.uid}"`)
  })
})
