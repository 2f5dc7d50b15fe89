/** The node's three stores: metadata on a KVBase, the log on an Mq, segments on object storage; each where the parameters say. */
import type { KVBase } from '@timetick/kv'
import { openLmdbKV } from '@timetick/kv/lmdb'
import { createMemoryKV } from '@timetick/kv/memory'
import type { Mq } from '@timetick/msgstream'
import { openFileMq } from '@timetick/msgstream/file'
import { createMemoryMq } from '@timetick/msgstream/memory'
import type { GlobalParamsTable } from '@timetick/paramtable'
import { makeTemporaryFolder } from '../edge/folders.ts'
import type { NodeClock } from '../edge/system.ts'
import { createMemoryStorage, openFolderStorage, type ObjectStorage } from '../storage/index.ts'
import { openEtcdMetastore, openRedisMetastore } from './open-metastore.ts'
import { openKafkaLog, openPulsarLog, openRedisLog } from './open-log.ts'
import { openS3, openSharedFolder } from './open-storage.ts'
import { opening } from './opening.ts'
import { storeChoices, type LogType, type MetastoreType, type StorageType } from './store-parameters.ts'

export interface Stores {
  readonly kv: KVBase
  readonly mq: Mq
  readonly storage: ObjectStorage
  close(): Promise<void>
}

type Open<T> = (parameters: GlobalParamsTable, clusterName: string, clock: NodeClock) => T | Promise<T>

const metastores: Readonly<Record<MetastoreType, Open<KVBase>>> = {
  lmdb: (parameters, _, clock) => openLmdbKV({ path: `${folderOf(parameters)}/meta`, clock }),
  memory: (_, _name, clock) => createMemoryKV({ clock }),
  etcd: openEtcdMetastore,
  redis: openRedisMetastore,
}
const logs: Readonly<Record<LogType, Open<Mq>>> = {
  file: (parameters, _, clock) => openFileMq({ path: `${folderOf(parameters)}/log`, clock }),
  memory: () => createMemoryMq(),
  kafka: openKafkaLog,
  pulsar: openPulsarLog,
  redis: openRedisLog,
}
const storages: Readonly<Record<StorageType, Open<ObjectStorage>>> = {
  local: (parameters) => openFolderStorage({ path: `${folderOf(parameters)}/objects` }),
  memory: () => createMemoryStorage({ makeFolder: makeTemporaryFolder }),
  shared: openSharedFolder,
  s3: openS3,
}

const folderOf = (parameters: GlobalParamsTable): string => parameters.getString('localStorage.path')

/**
 * On failure nothing stays open. The data folder, where one is used, must be there.
 *
 * @throws StoresError for servers: what is wrong with a parameter, which package is missing, which address does not answer. Stores of the
 * data folder throw errors of their own (`KV_LOCKED`, `MSG_LOCKED`, …).
 */
export async function openStores(parameters: GlobalParamsTable, clock: NodeClock): Promise<Stores> {
  const { metastore, log, storage, clusterName } = storeChoices(parameters)
  const timeoutMs = parameters.getDurationMs('stores.openTimeout')
  const open = <T extends Closable>(what: string, type: string, store: Open<T>): Promise<T> =>
    opening({ what, type, parameters, clock, timeoutMs }, async () => store(parameters, clusterName, clock))
  return together((keep) => ({
    kv: () => keep(open('metastore', metastore, metastores[metastore])),
    mq: () => keep(open('mq', log, logs[log])),
    storage: () => keep(open('storage', storage, storages[storage])),
  }))
}

/** The stores of a data folder. */
export function openFolderStores(path: string, clock: NodeClock): Promise<Stores> {
  return together((keep) => ({
    kv: () => keep(openLmdbKV({ path: `${path}/meta`, clock })),
    mq: () => keep(openFileMq({ path: `${path}/log`, clock })),
    storage: () => keep(openFolderStorage({ path: `${path}/objects` })),
  }))
}

/** Stores that are gone with the process. */
export function openMemoryStores(clock: NodeClock): Promise<Stores> {
  return together((keep) => ({
    kv: () => keep(createMemoryKV({ clock })),
    mq: () => keep(createMemoryMq()),
    storage: () => keep(createMemoryStorage({ makeFolder: makeTemporaryFolder })),
  }))
}

interface Closable {
  close(): Promise<void>
}

type Keep = <T extends Closable>(opening: Promise<T> | T) => Promise<T>

interface Openings {
  readonly kv: () => Promise<KVBase>
  readonly mq: () => Promise<Mq>
  readonly storage: () => Promise<ObjectStorage>
}

/** One after the other, closed in reverse order; all of them or none. */
async function together(openings: (keep: Keep) => Openings): Promise<Stores> {
  const opened: Closable[] = []
  const close = async (): Promise<void> => {
    for (const store of opened.splice(0).reverse()) await store.close()
  }
  const keep: Keep = async (opening) => {
    const store = await opening
    opened.push(store)
    return store
  }
  try {
    const { kv, mq, storage } = openings(keep)
    return { kv: await kv(), mq: await mq(), storage: await storage(), close }
  } catch (error) {
    await close()
    throw error
  }
}
