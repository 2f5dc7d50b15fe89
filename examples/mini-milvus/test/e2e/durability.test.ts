/** kill -9 at random moments under writes: nothing that was acknowledged is lost, and the first start after it works. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MilvusClient } from '@zilliz/milvus2-sdk-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type RunningProgram, startProgram } from './running-program.ts'
import { seededRandom } from './support.ts'

const ring = process.env['TIMETICK_RING'] ?? 'default'
const KILLS = ring === 'default' ? 6 : 20
const seed = Number(process.env['SEED'] ?? 7)
const collection_name = 'durable'

describe('a node that is killed', () => {
  let folder = ''
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'timetick-durability-'))
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  it(`D1, D3: keeps every acknowledged insert, upsert and delete over ${KILLS} kills (seed ${seed})`, { timeout: 900_000 }, async () => {
    const random = seededRandom(seed)
    const model = new Map<number, number>()
    const doubtful = new Set<number>()
    let next = 0
    let node = await startProgram(['--data-dir', folder])
    let client = await connect(node)
    await client.createCollection({
      collection_name,
      fields: [
        { name: 'id', data_type: 5, is_primary_key: true },
        { name: 'version', data_type: 5 },
        { name: 'vec', data_type: 101, dim: 4 },
      ],
      index_params: [{ field_name: 'vec', index_type: 'HNSW', metric_type: 'L2' }],
      consistency_level: 'Strong',
    })
    await client.loadCollectionSync({ collection_name })
    for (let kill = 0; kill < KILLS; kill++) {
      const killAt = Date.now() + 300 + random() * 900
      const killed = new Promise((resolve) => setTimeout(() => resolve(node.child.kill('SIGKILL')), killAt - Date.now()))
      for (let dead = false; !dead; ) {
        const ids = random() < 0.6 || model.size < 10 ? Array.from({ length: 20 }, () => next++) : [...model.keys()].slice(0, 5)
        const kind = ids.length === 20 ? 'insert' : random() < 0.5 ? 'upsert' : 'delete'
        const version = Math.floor(random() * 1e6)
        try {
          const answer = await write(client, kind, ids, version)
          if (answer !== 'Success') throw new Error(answer)
          for (const id of ids) {
            doubtful.delete(id)
            if (kind === 'delete') model.delete(id)
            else model.set(id, version)
          }
          if (random() < 0.05) await client.flush({ collection_names: [collection_name] })
        } catch {
          for (const id of ids) doubtful.add(id)
          dead = true
        }
      }
      await killed
      await client.closeConnection().catch(() => undefined)
      node = await startProgram(['--data-dir', folder])
      client = await connect(node)
      await waitUntilLoaded(client)
      await checkModel(client, model, doubtful)
    }
    await client.closeConnection()
    expect(await node.stop()).toBe(0)
  })
})

async function checkModel(client: MilvusClient, model: Map<number, number>, doubtful: Set<number>): Promise<void> {
  const rows = await allRows(client)
  for (const [id, version] of model) {
    if (doubtful.has(id)) continue
    expect(rows.get(id), `row ${id} (seed ${seed})`).toBe(version)
  }
  for (const id of rows.keys()) if (!doubtful.has(id)) expect(model.has(id), `row ${id} came back (seed ${seed})`).toBe(true)
  // What was in doubt is known now.
  for (const id of doubtful) {
    const version = rows.get(id)
    if (version === undefined) model.delete(id)
    else model.set(id, version)
  }
  doubtful.clear()
}

async function allRows(client: MilvusClient): Promise<Map<number, number>> {
  const rows = new Map<number, number>()
  for (let last = -1; ; ) {
    const page = await client.query({ collection_name, filter: `id > ${last}`, output_fields: ['id', 'version'], limit: 5000 })
    expect(page.status.error_code).toBe('Success')
    for (const row of page.data) {
      expect(rows.has(Number(row['id'])), `row ${String(row['id'])} twice`).toBe(false)
      rows.set(Number(row['id']), Number(row['version']))
      last = Number(row['id'])
    }
    if (page.data.length < 5000) return rows
  }
}

async function write(client: MilvusClient, kind: 'insert' | 'upsert' | 'delete', ids: number[], version: number): Promise<string> {
  if (kind === 'delete') return String((await client.delete({ collection_name, ids })).status.error_code)
  const data = ids.map((id) => ({ id, version, vec: [id, version % 7, 1, 2] }))
  return String((await client[kind]({ collection_name, data })).status.error_code)
}

async function connect({ address }: RunningProgram): Promise<MilvusClient> {
  const client = new MilvusClient({ address, maxRetries: 0, timeout: 10_000, logLevel: 'error' })
  await client.connectPromise
  return client
}

async function waitUntilLoaded(client: MilvusClient): Promise<void> {
  for (let progress = 0; progress < 100; ) {
    const answer = await client.getLoadingProgress({ collection_name })
    progress = Number(answer.progress)
    if (progress < 100) await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
