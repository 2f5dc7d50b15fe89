/** Processes of a cluster that call each other with certificates: those of one authority serve, another's is let in nowhere. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MilvusClient } from '@zilliz/milvus2-sdk-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Certificates, makeCertificates } from '../server/certificates.edge.ts'
import { type RunningCluster, startCluster, until } from './processes.ts'

const redis = process.env['TIMETICK_REDIS_URL']
const isAsked = (redis !== undefined && process.env['TIMETICK_RING'] !== undefined) || process.env['REQUIRE_SERVICES'] === '1'

const settingsOf = ({ ca, cert, key }: Certificates) => ({ 'cluster.tls.caPath': ca, 'cluster.tls.certPath': cert, 'cluster.tls.keyPath': key })
const collection_name = 'private'

let folder: string
let cluster: RunningCluster
let client: MilvusClient

describe.runIf(isAsked)('processes with certificates', () => {
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'mini-milvus-tls-'))
    // No secret: certificates alone say who is one of us.
    cluster = await startCluster(redis ?? '', [['proxy'], ['coordinator', 'data', 'query']], { 'cluster.secret': '', ...settingsOf(makeCertificates(folder, 'ours')) })
    client = new MilvusClient({ address: cluster.addresses()[0] ?? '', logLevel: 'error' })
  }, 120_000)
  afterAll(async () => {
    await client?.closeConnection()
    await cluster?.close()
    await rm(folder, { recursive: true, force: true })
  }, 60_000)

  const search = () => client.search({ collection_name, data: [5, 1], limit: 1, consistency_level: 'Strong' as never, output_fields: ['id'] })

  it('serve what goes through all of them', { timeout: 120_000 }, async () => {
    expect(await client.createCollection({ collection_name, dimension: 2, metric_type: 'L2' })).toMatchObject({ code: 0 })
    expect(await client.insert({ collection_name, data: Array.from({ length: 10 }, (_, id) => ({ id, vector: [id, 1] })) })).toMatchObject({ insert_cnt: '10' })
    const found = await until('a hit', async () => ((await search()).results.length === 1 ? search() : undefined))
    expect(found.results).toMatchObject([{ id: '5' }])
    expect(await client.flushSync({ collection_names: [collection_name] })).toMatchObject({ flushed: true })
  })

  it('give nothing to another authority’s process, say why, and go on serving', { timeout: 120_000 }, async () => {
    const leader = cluster.processes.find(({ roles }) => roles.includes('coordinator'))
    const stranger = await cluster.add(['query'], settingsOf(makeCertificates(folder, 'theirs')))
    try {
      await until('a word of it', async () => (/is registered but does not answer/.test(leader?.program.errors() ?? '') ? true : undefined))
      expect(leader?.program.errors()).toMatch(/certificate/)
      expect(await client.createCollection({ collection_name: 'later', dimension: 2, metric_type: 'L2' })).toMatchObject({ code: 0 })
      expect((await search()).results).toMatchObject([{ id: '5' }])
      const { rowCount } = await until('a collection that is loaded', async () => {
        const { data } = await client.count({ collection_name: 'later' })
        return data === 0 ? { rowCount: data } : undefined
      })
      expect(rowCount).toBe(0)
    } finally {
      await stranger.program.stop('SIGKILL')
    }
  })
})
