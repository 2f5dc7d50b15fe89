/** Opens the LMDB environment: the only place that touches the driver. */
import type * as Driver from 'lmdb'
import { KVError } from '../errors.ts'
import type { Bytes, Database, Row } from './driver.ts'
import { noStoreYet } from './folder.edge.ts'
import { corrupt, decodeRow, FORMAT, sliceText } from './format.ts'
import type { ReadDatabase } from './reads.ts'

export interface DatabaseOptions {
  readonly folder: string
  /** Written into the store: from now on only its holder's writes are accepted. */
  readonly token: string
  readonly sync: 'commit' | 'interval'
  readonly mapSizeBytes: number | undefined
}

/** Keys as UTF-8, straight into the driver's buffer. */
const keyEncoder = {
  writeKey: (key: string, target: Buffer, position: number): number => position + target.write(key, position, 'utf8'),
  readKey: (target: Buffer, start: number, end: number): string => sliceText(target, start, end),
}

const rowEncoder = {
  encode: (row: Bytes): Bytes => row,
  decode: (bytes: Bytes): Row => decodeRow(bytes),
}

const dataOptions = { name: 'data', encoder: rowEncoder, keyEncoder }
const bytesOptions = { encoding: 'binary', keyEncoding: 'binary' } as const
const rootOptions = { noSubdir: false, encoding: 'string', maxDbs: 8 } as const

const FORMAT_KEY = 'timetick-kv'

async function loadDriver(): Promise<typeof Driver> {
  try {
    return await import('lmdb')
  } catch (cause) {
    throw new KVError('KV_DRIVER_MISSING', 'the lmdb backend needs the package lmdb: npm install lmdb', { cause })
  }
}

export async function openDatabase(options: DatabaseOptions): Promise<{ db: Database; storeId: string }> {
  const { open } = await loadDriver()
  const root = await opening(async () => open<string, string>({
    ...rootOptions,
    path: options.folder,
    // With overlapping syncs a value whose sync failed stays visible and nobody is told.
    overlappingSync: options.sync === 'interval',
    ...(options.sync === 'interval' ? { safeRestore: true } : {}),
    ...(options.mapSizeBytes === undefined ? {} : { mapSize: options.mapSizeBytes }),
  }))
  try {
    const storeId = await opening(async () => checkFormat(root.get(FORMAT_KEY), root.getKeys()))
    const owner = await opening(async () => root.openDB<string, string>({ name: 'owner', encoding: 'string', useVersions: true }))
    const version = Number.parseInt(options.token.slice(0, 8), 16) + 1
    const db = await opening(async (): Promise<Database> => ({
      root,
      commit(puts) {
        const committed = owner.ifVersion('owner', version, puts)
        // The driver makes a second promise for the turn's batch; its rejection would end the process.
        Promise.resolve(owner.committed).catch(() => undefined)
        return committed
      },
      ...readTables(root),
      leases: root.openDB<Bytes, Bytes>({ name: 'leases', ...bytesOptions }),
    }))
    const id = storeId ?? options.token.slice(0, 8)
    await opening(async () => root.transactionSync(() => {
      if (storeId === undefined) void root.put(FORMAT_KEY, JSON.stringify({ format: FORMAT, storeId: id }))
      void owner.put('owner', options.token, version)
    }))
    return { db, storeId: id }
  } catch (error) {
    await root.close()
    throw error
  }
}

function readTables(root: Driver.RootDatabase<string, string>): Omit<ReadDatabase, 'root'> {
  return {
    data: root.openDB<Row, string>(dataOptions),
    log: root.openDB<Bytes, Bytes>({ name: 'log', ...bytesOptions }),
    meta: root.openDB<Bytes, Bytes>({ name: 'meta', ...bytesOptions }),
  }
}

/** For a process that only reads. */
export async function openReadDatabase(folder: string): Promise<ReadDatabase> {
  const { open } = await loadDriver()
  const root = await opening(async () => open<string, string>({ ...rootOptions, path: folder, readOnly: true }))
  try {
    return await opening(async () => {
      // The record is written last: with it everything else is there.
      if (checkFormat(root.get(FORMAT_KEY), root.getKeys()) === undefined) throw noStoreYet(folder)
      return { root, ...readTables(root) }
    })
  } catch (error) {
    await root.close()
    throw error
  }
}

const TABLES = new Set(['owner', 'data', 'log', 'leases', 'meta'])

/**
 * The id of the store, `undefined` for an empty environment, or one whose creation was interrupted: the tables come one by one, the
 * record with the last step. Refuses before a byte is written.
 */
function checkFormat(record: string | undefined, names: Iterable<string>): string | undefined {
  if (record === undefined) {
    for (const name of names) if (!TABLES.has(name)) throw corrupt('this LMDB environment was made by something else')
    return undefined
  }
  const { format, storeId } = JSON.parse(record) as { format?: unknown; storeId?: unknown }
  if (typeof format !== 'number' || typeof storeId !== 'string') throw corrupt('the format record is damaged')
  if (format > FORMAT) throw corrupt(`the store has format ${format}; this version knows up to ${FORMAT}`)
  return storeId
}

/** Names what went wrong while opening, whoever it came from. */
export async function opening<T>(action: () => Promise<T>): Promise<T> {
  try {
    return await action()
  } catch (cause) {
    if (cause instanceof KVError) throw cause
    if (String(cause).includes('MDB_INVALID') || String(cause).includes('MDB_CORRUPTED')) throw corrupt('this is not an LMDB environment', cause)
    throw new KVError('KV_STORAGE_FAILED', 'the storage could not be opened', { cause })
  }
}
