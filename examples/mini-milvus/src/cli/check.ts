/** `mini-milvus check <folder>`: reads everything that metadata names, and says what is damaged. Nothing may use the folder meanwhile. */
import { openCatalog } from '../coordinator/catalog.ts'
import { systemClock } from '../edge/system.ts'
import { sumFile } from '../engine/index-file.edge.ts'
import type { CollectionMeta, SegmentMeta } from '../model/meta.ts'
import { findDataFolder, tellHolder } from '../node/data-folder.edge.ts'
import { logChannels } from '../node/log-channels.ts'
import { openFolderStores, type Stores } from '../node/stores.ts'
import { createSegmentLoader } from '../querynode/storage-loader.ts'

export interface CheckReport {
  readonly folder: string
  readonly collections: number
  readonly segments: number
  readonly rows: number
  readonly bytes: number
  /** One line each, with the file's name. */
  readonly damage: readonly string[]
}

/** @param onProgress called after each segment */
export async function checkFolder(path: string, onProgress: (done: number, all: number) => void): Promise<CheckReport> {
  const folder = await findDataFolder(path)
  const stores = await openFolderStores(folder, systemClock).catch(async (error: unknown) => {
    throw await tellHolder(folder, error)
  })
  try {
    return await checkStores(folder, stores, onProgress)
  } finally {
    await stores.close()
  }
}

async function checkStores(folder: string, stores: Stores, onProgress: (done: number, all: number) => void): Promise<CheckReport> {
  const none = { allocOne: () => Promise.reject(new Error('a check changes nothing')) }
  const catalog = await openCatalog({ kv: stores.kv, ids: none, timestamps: none, pchannels: await logChannels(stores.kv, 1) })
  const all = catalog.collections().flatMap((collection) => catalog.segments(collection.id).map((segment) => ({ collection, segment })))
  const damage: string[] = []
  let rows = 0
  let bytes = 0
  for (const [done, { collection, segment }] of all.entries()) {
    damage.push(...(await damageOf(stores, collection, segment)))
    if (segment.level === 'L1') rows += segment.rows
    bytes += segment.bytes
    onProgress(done + 1, all.length)
  }
  return { folder, collections: catalog.collections().length, segments: all.length, rows, bytes, damage }
}

async function damageOf({ storage }: Stores, { schema, dbName }: CollectionMeta, segment: SegmentMeta): Promise<string[]> {
  const loader = createSegmentLoader(storage)
  const found: string[] = []
  const where = `${dbName}.${schema.name}`
  try {
    if (segment.level === 'L1') await loader.rows(segment, schema)
    else await loader.deletes(segment, schema)
  } catch (error) {
    found.push(`${where}: ${messageOf(error)}`)
  }
  for (const index of segment.indexes) {
    const { path, crc32, state } = index
    if (state !== 'finished' || path === '') continue
    const sum = await loader.openIndex(index).then((file) => sumFile(file.path).finally(() => file.release())).catch((error: unknown) => messageOf(error))
    if (typeof sum === 'string') found.push(`${where}: ${path}: ${sum}`)
    else if (sum.crc32 !== crc32) found.push(`${where}: ${path} is not the index that was built; it is built again at the next start`)
  }
  return found
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

export function checkText({ folder, collections, segments, rows, bytes, damage }: CheckReport): string {
  const summary = `${folder}: ${collections} collections, ${segments} segments, ${rows} rows, ${(bytes / 1024 ** 2).toFixed(1)} MB`
  return [...damage.map((line) => `damaged  ${line}`), damage.length === 0 ? `${summary}: all of it is readable` : `${summary}: ${damage.length} damaged`].join('\n')
}
