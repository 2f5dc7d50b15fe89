/** `mini-milvus move --to <target>`: a data folder into a cluster's stores, or back. */
import type { GlobalParamsTable } from '@timetick/paramtable'
import type { NodeClock } from '../edge/system.ts'
import { findDataFolder, prepareDataFolder, tellHolder } from '../node/data-folder.edge.ts'
import { storeChoices } from '../node/store-parameters.ts'
import { openStores, type Stores } from '../node/stores.ts'
import { moveStores, type MoveReport } from './move-stores.ts'

/** Closes all stores, whatever happens. */
export async function move(from: GlobalParamsTable, to: GlobalParamsTable, clock: NodeClock, onProgress: (done: number, all: number) => void): Promise<MoveReport> {
  const folder = from.getString('localStorage.path')
  const source = await open(from, storeChoices(from).usesFolder ? await findDataFolder(folder) : undefined, clock)
  try {
    const target = await open(to, storeChoices(to).usesFolder ? await prepareDataFolder(to.getString('localStorage.path')) : undefined, clock)
    try {
      const stillMs = Math.max(1500, 3 * from.getDurationMs('proxy.timeTickInterval'))
      return await moveStores({ from: source, to: target, clock, stillMs, onProgress })
    } finally {
      await target.close()
    }
  } finally {
    await source.close()
  }
}

function open(parameters: GlobalParamsTable, folder: string | undefined, clock: NodeClock): Promise<Stores> {
  return openStores(parameters, clock).catch(async (error: unknown) => {
    throw folder === undefined ? error : await tellHolder(folder, error)
  })
}

export function moveText({ objects, bytes, messages, keys }: MoveReport): string {
  return `moved ${objects} objects (${(bytes / 1024 ** 2).toFixed(1)} MB), ${messages} messages of the log and ${keys} keys of metadata; all of it was read back and is the same`
}
