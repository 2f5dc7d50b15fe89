/** Story D15: whatever 4 KB block of whatever file of a closed data folder is zero, missing or changed, a node opens on it, or says which file is bad. */
import { cp, mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, vi } from 'vitest'
import { silentLogger, type NodeLogger } from '../../src/node/logger.ts'
import { seededRandom, startTestNode } from './support.ts'

const BLOCK = 4096
const ROWS = 600
const SAMPLES = { ci: 60, soak: 2000 }[process.env['TIMETICK_RING'] ?? ''] ?? 9
const seed = Number(process.env['SEED'] ?? 15)
const collection_name = 'golden'
const parameters = { 'indexNode.minRows': 100 }
let folder = ''
let golden = ''

interface Damage {
  readonly file: string
  readonly block: number
  readonly kind: 'zero' | 'cut' | 'flip'
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'timetick-blocks-'))
  golden = join(folder, 'golden')
  const { client, close } = await startTestNode({ dataDir: golden, parameters })
  await client.createCollection({
    collection_name,
    fields: [
      { name: 'id', data_type: 5, is_primary_key: true },
      { name: 'vec', data_type: 101, dim: 4 },
    ],
    index_params: [{ field_name: 'vec', index_type: 'HNSW', metric_type: 'L2' }],
    consistency_level: 'Strong',
  })
  const rows = (from: number, count: number): { id: number; vec: number[] }[] => Array.from({ length: count }, (_, i) => ({ id: from + i, vec: [from + i, 0, 0, 0] }))
  await client.insert({ collection_name, data: rows(0, ROWS / 2) })
  await client.flushSync({ collection_names: [collection_name] })
  await vi.waitFor(async () => expect(Number((await client.describeIndex({ collection_name, field_name: 'vec' })).index_descriptions[0]?.indexed_rows)).toBe(ROWS / 2), { timeout: 20_000 })
  await client.insert({ collection_name, data: rows(ROWS / 2, ROWS / 2) })
  await client.loadCollectionSync({ collection_name })
  await close()
}, 60_000)
afterAll(() => rm(folder, { recursive: true, force: true }))

async function places(): Promise<Omit<Damage, 'kind'>[]> {
  const found: Omit<Damage, 'kind'>[] = []
  for (const file of (await readdir(golden, { recursive: true })).sort()) {
    const info = await stat(join(golden, file))
    if (info.isFile()) for (let block = 0; block * BLOCK < info.size; block++) found.push({ file, block })
  }
  return found
}

async function apply(path: string, { block, kind }: Damage, random: () => number): Promise<void> {
  if (kind === 'cut') return truncate(path, block * BLOCK)
  const bytes = await readFile(path)
  const part = bytes.subarray(block * BLOCK, (block + 1) * BLOCK)
  if (kind === 'zero') part.fill(0)
  else {
    const at = Math.floor(random() * part.length)
    part[at] = (part[at] ?? 0) ^ (1 << Math.floor(random() * 8))
  }
  await writeFile(path, bytes)
}

/** What a user is told of the node on this folder, or the number of rows that it has. */
async function outcome(dataDir: string, logger: NodeLogger): Promise<number | string> {
  let test: Awaited<ReturnType<typeof startTestNode>>
  try {
    test = await startTestNode({ dataDir, parameters, logger })
  } catch (error) {
    return messagesOf(error)
  }
  try {
    for (let tries = 0; ; tries++) {
      const { data, status } = await test.client.query({ collection_name, filter: 'id >= 0', output_fields: ['id'], limit: 10_000 })
      if (status.error_code === 'Success') return data.length
      // Not loaded yet, and why not.
      if (/rows\.arrow|\.usearch|not found/.test(status.reason) || tries === 200) return status.reason
      await new Promise((resolve) => setTimeout(resolve, 25))
    }
  } finally {
    await test.close()
  }
}

const messagesOf = (error: unknown): string => (error instanceof Error ? `${error.message} ${messagesOf(error.cause)}` : '')

it(`D15: ${SAMPLES} of them open with all rows, or name what is damaged (seed ${seed})`, { timeout: 20 * 60_000 }, async () => {
  const random = seededRandom(seed)
  const all = await places()
  expect(all.length).toBeGreaterThan(10)
  for (let sample = 0; sample < SAMPLES; sample++) {
    // Each third is of what lmdb keeps, whatever share of all blocks that is.
    const some = all.filter(({ file }) => file.endsWith('.mdb') === (sample % 9 < 3))
    const damage: Damage = { ...(some[Math.floor(random() * some.length)] as Damage), kind: (['zero', 'cut', 'flip'] as const)[sample % 3] ?? 'flip' }
    const dataDir = join(folder, `copy-${sample}`)
    await cp(golden, dataDir, { recursive: true })
    await apply(join(dataDir, damage.file), damage, random)
    const warnings: string[] = []
    const told = await outcome(dataDir, { ...silentLogger, warn: (_fields, message) => void warnings.push(message) })
    // A reason names the file, of the log its channel at least. What ends the log's newest file may be of a write that never ended: the log says how much was cut.
    const names = damage.file.split(/[\\/]/).slice(-2)
    const isRight = typeof told === 'string' ? names.some((name) => told.includes(name)) : told === ROWS || (told >= ROWS / 2 && warnings.some((message) => message.startsWith('cut the last') && message.includes(damage.file)))
    expect(isRight, `of ${damage.kind} in block ${damage.block} of ${damage.file} one is told: ${[told, ...warnings].join('; ')}`).toBe(true)
    await rm(dataDir, { recursive: true, force: true })
  }
})
