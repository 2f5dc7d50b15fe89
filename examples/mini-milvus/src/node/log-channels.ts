/** The log channels of a data folder: their number is fixed when the folder is made, since shards name them. */
import type { KVBase } from '@timetick/kv'

const KEY = 'node/log-channels'

export async function logChannels(kv: KVBase, wanted: number): Promise<string[]> {
  await kv.compareAndSave(KEY, 0n, String(wanted))
  const stored = Number(await kv.load(KEY))
  if (!Number.isInteger(stored) || stored < 1) throw new Error(`the data folder says it has ${stored} log channels`)
  return Array.from({ length: stored }, (_, index) => `dml_${index}`)
}
