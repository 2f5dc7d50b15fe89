/** What owners of channels report may be overtaken on its way: the catalog goes forward only. */
import { createMemoryKV } from '@timetick/kv/memory'
import { positionToJson } from '@timetick/msgstream'
import { expect, it } from 'vitest'
import { runCatalogCall } from '../../src/cluster/catalog-calls.ts'
import { openCatalog } from '../../src/coordinator/catalog.ts'

it('a checkpoint that comes late does not bring the former one back', async () => {
  const kv = createMemoryKV()
  let next = 100n
  const alloc = { allocOne: async () => (next += 1n) }
  const catalog = await openCatalog({ kv, ids: alloc, timestamps: alloc, pchannels: ['dml_0'] })
  const at = (ts: bigint): string => JSON.stringify(positionToJson({ channel: 'dml_0', timestamp: ts, msgId: { backend: 'memory', bytes: Uint8Array.of(0, 0, 0, 0, 0, 0, 0, Number(ts)) } }))
  await runCatalogCall(catalog, 'saveCheckpoint', ['dml_0', at(5n)])
  await runCatalogCall(catalog, 'saveCheckpoint', ['dml_0', at(27n)])
  await runCatalogCall(catalog, 'saveCheckpoint', ['dml_0', at(5n)])
  expect(catalog.checkpoint('dml_0')).toBe(at(27n))
  await runCatalogCall(catalog, 'saveCheckpoint', ['dml_0', at(28n)])
  expect(catalog.checkpoint('dml_0')).toBe(at(28n))
  await kv.close()
})
