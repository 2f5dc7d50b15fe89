/** The node's three stores: metadata on a KVBase, the log on an Mq, segments on object storage; in a folder or in memory. */
import type { KVBase } from '@timetick/kv'
import { openLmdbKV } from '@timetick/kv/lmdb'
import { createMemoryKV } from '@timetick/kv/memory'
import type { Mq } from '@timetick/msgstream'
import { openFileMq } from '@timetick/msgstream/file'
import { createMemoryMq } from '@timetick/msgstream/memory'
import { makeTemporaryFolder } from '../edge/folders.ts'
import type { NodeClock } from '../edge/system.ts'
import { createMemoryStorage, openFolderStorage, type ObjectStorage } from '../storage/index.ts'

export interface Stores {
  readonly kv: KVBase
  readonly mq: Mq
  readonly storage: ObjectStorage
  close(): Promise<void>
}

/** @param path the data folder, or undefined for stores in memory. On failure nothing stays open. */
export async function openStores(path: string | undefined, clock: NodeClock): Promise<Stores> {
  const opened: { close(): Promise<void> }[] = []
  const keep = <T extends { close(): Promise<void> }>(store: T): T => {
    opened.push(store)
    return store
  }
  const close = async (): Promise<void> => {
    for (const store of opened.splice(0).reverse()) await store.close()
  }
  try {
    if (path === undefined) {
      const kv = keep(createMemoryKV({ clock }))
      const mq = keep(createMemoryMq())
      return { kv, mq, storage: keep(createMemoryStorage({ makeFolder: makeTemporaryFolder })), close }
    }
    const kv = keep(await openLmdbKV({ path: `${path}/meta`, clock }))
    const mq = keep(await openFileMq({ path: `${path}/log`, clock }))
    return { kv, mq, storage: keep(await openFolderStorage({ path: `${path}/objects` })), close }
  } catch (error) {
    await close()
    throw error
  }
}
