/** The files that people copy from: an example of a cluster's parameters, and a cluster for Docker. */
import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { readSettings } from '../../src/cli/settings.ts'
import { createParameters, declarations, ENV_PREFIX } from '../../src/node/parameters.ts'
import { storeChoices } from '../../src/node/store-parameters.ts'

const pathOf = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url))

describe('cluster.example.yaml', () => {
  const example = pathOf('cluster.example.yaml')

  it('is read, and chooses servers', async () => {
    const table = await readSettings({ config: example }, {})
    expect(storeChoices(table)).toEqual({ metastore: 'etcd', log: 'kafka', storage: 's3', usesFolder: false, clusterName: 'by-dev' })
    expect(table.getBytes('storage.cache.maxBytes')).toBe(10 * 1024 ** 3)
  })

  it('names only parameters that there are, also in its comments', async () => {
    const known = new Set(declarations.map(({ key }) => `${ENV_PREFIX}${key.replaceAll('.', '_').toUpperCase()}`))
    const named = (await readFile(example, 'utf8')).match(/MINI_MILVUS_[A-Z0-9_]+/g) ?? []
    expect(named.length).toBeGreaterThan(2)
    expect(named.filter((name) => !known.has(name))).toEqual([])
  })
})

interface Service {
  readonly image?: string
  readonly build?: object
  readonly command?: string | readonly string[]
  readonly ports?: readonly string[]
  readonly environment?: Readonly<Record<string, string>>
  readonly depends_on?: Readonly<Record<string, unknown>> | readonly string[]
  readonly volumes?: readonly string[]
  readonly configs?: readonly { readonly source: string }[]
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>
  readonly volumes: Readonly<Record<string, unknown>>
  readonly configs: Readonly<Record<string, { readonly content: string }>>
}

describe('docker-compose.cluster.yml', () => {
  async function compose(): Promise<Compose> {
    return parse(await readFile(pathOf('../../docker-compose.cluster.yml'), 'utf8'), { merge: true }) as Compose
  }

  it('has all roles, each with what it names', async () => {
    const { services, volumes, configs } = await compose()
    const roles = Object.values(services).flatMap(({ command }) => (Array.isArray(command) && command[0] === '--role' ? [String(command[1])] : []))
    expect(roles.sort()).toEqual(['coordinator', 'coordinator', 'data', 'data', 'proxy', 'proxy', 'query', 'query', 'query'])
    for (const name of ['etcd', 'kafka', 'minio', 'prometheus', 'grafana']) expect(services[name]?.image).toMatch(/^[^:]+:[^:]+$/)
    for (const service of Object.values(services)) {
      expect(service.image ?? service.build).toBeDefined()
      const needed = Array.isArray(service.depends_on) ? (service.depends_on as readonly string[]) : Object.keys(service.depends_on ?? {})
      for (const name of needed) expect(services).toHaveProperty(name)
      for (const volume of service.volumes ?? []) expect(volumes).toHaveProperty(volume.split(':')[0] ?? '')
      for (const { source } of service.configs ?? []) expect(configs).toHaveProperty(source)
      for (const port of service.ports ?? []) expect(port).toMatch(/^127\.0\.0\.1:\d+:\d+$/)
    }
  })

  it('gives its nodes parameters that they take', async () => {
    // As a container is given it.
    const environment = Object.fromEntries(Object.entries((await compose()).services['proxy-1']?.environment ?? {}).map(([name, value]) => [name, String(value)]))
    const table = createParameters(environment)
    expect(storeChoices(table)).toMatchObject({ metastore: 'etcd', log: 'kafka', storage: 's3', clusterName: 'compose' })
    for (const [name, value] of Object.entries(environment)) {
      const declared = declarations.find(({ key }) => `${ENV_PREFIX}${key.replaceAll('.', '_').toUpperCase()}` === name)
      expect(declared === undefined ? name : String(table.load(declared.key))).toBe(value)
    }
  })

  it('lets Prometheus find each of them', async () => {
    const { services, configs } = await compose()
    const { scrape_configs } = parse(configs['prometheus']?.content ?? '') as { scrape_configs: { static_configs: { targets: string[] }[] }[] }
    const targets = scrape_configs[0]?.static_configs[0]?.targets.map((target) => target.split(':')[0])
    expect(targets?.sort()).toEqual(Object.keys(services).filter((name) => /^(coordinator|data|query|proxy)-/.test(name)).sort())
  })
})
