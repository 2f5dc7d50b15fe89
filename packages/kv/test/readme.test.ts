import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { etcdFeatures } from '../src/etcd/features.ts'
import type { KVFeatures } from '../src/index.ts'
import { openLmdbKV } from '../src/lmdb.ts'
import { createMemoryKV } from '../src/memory.ts'
import { redisFeatures } from '../src/redis/features.ts'
import { freshFolders } from './folders.edge.ts'

const fresh = freshFolders()
const file = join(import.meta.dirname, '..', 'README.md')

const survives = { memory: 'nothing', process: '`kill -9`', power: 'a power cut' }
const shares = { none: 'no', readers: 'read', writers: 'read and write' }
const yes = (value: boolean): string => (value ? 'yes' : 'no')
const bytes = (value: number): string => (value >= 1024 * 1024 ? `${Number((value / 1024 / 1024).toFixed(2))} MiB` : `${value} bytes`)
const rows: Record<string, (features: KVFeatures) => string> = {
  'a resolved write survives': ({ backend, durability }) => (backend === 'redis' ? "the server's setting" : survives[durability]),
  'other processes': ({ sharing }) => shares[sharing],
  'leases, in steps of': ({ leases, leaseGranularityMs }) => (leases ? `${leaseGranularityMs} ms` : 'no'),
  watches: ({ watch }) => yes(watch),
  'watches resume over a restart': ({ watchAcrossRestarts }) => yes(watchAcrossRestarts),
  'operations in a transaction': ({ maxTransactionOps }) => (maxTransactionOps === Infinity ? 'any number' : maxTransactionOps.toLocaleString('en')),
  'a value': ({ maxValueBytes }) => bytes(maxValueBytes),
  'a key': ({ maxKeyBytes }) => bytes(maxKeyBytes),
}

it('the table of the README is made from the features (UPDATE=1 writes it)', async () => {
  const [memory, lmdb] = [createMemoryKV(), await openLmdbKV({ path: await fresh() })]
  await lmdb.close()
  const all = [memory.features, lmdb.features, etcdFeatures({ maxTransactionOps: 128, maxRequestBytes: 1.5 * 1024 * 1024 }), redisFeatures('memory')]
  const lines = [['', ...all.map(({ backend }) => `\`/${backend}\``)], all.concat(all[0] ?? []).map(() => '---')]
  for (const [name, cell] of Object.entries(rows)) lines.push([name, ...all.map(cell)])
  const table = lines.map((line) => `| ${line.join(' | ')} |`).join('\n')
  const text = await readFile(file, 'utf8')
  const wanted = text.replace(/<!-- features -->[^]*<!-- \/features -->/, () => `<!-- features -->\n${table}\n<!-- /features -->`)
  if (process.env['UPDATE'] === '1') await writeFile(file, wanted)
  else expect(text).toBe(wanted)
})
