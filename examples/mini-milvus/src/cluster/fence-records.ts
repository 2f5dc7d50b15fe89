/** Where each epoch of a channel begins, as its owners noted it: `fences/<pchannel>/<epoch>` holds the place of the fence. */
import type { KVBase } from '@timetick/kv'
import { positionFromJson, positionToJson, type MsgPositionJson } from '@timetick/msgstream'
import type { FenceMark } from '../channel/fenced-mq.ts'

const ROOT = 'fences/'

export async function loadFences(kv: Pick<KVBase, 'loadWithPrefix'>, pchannel: string): Promise<FenceMark[]> {
  const prefix = `${ROOT}${pchannel}/`
  const { keys, values } = await kv.loadWithPrefix(prefix)
  return keys.flatMap((key, index) => {
    const { msgId } = positionFromJson(JSON.parse(values[index] ?? '') as MsgPositionJson)
    return msgId === undefined ? [] : [{ epoch: BigInt(key.slice(prefix.length)), id: msgId }]
  })
}

/**
 * Notes a fence, and forgets those that no reader can ask for any more.
 * @param when the assignment's own revision: `false` when it is another's by now
 */
export async function saveFence(kv: KVBase, pchannel: string, { epoch, id }: FenceMark, spent: readonly bigint[], when: { readonly key: string; readonly modRevision: bigint }): Promise<boolean> {
  const key = `${ROOT}${pchannel}/${epoch}`
  const text = JSON.stringify(positionToJson({ channel: pchannel, msgId: id, timestamp: 0n }))
  const { applied } = await kv.multiSaveAndRemove(new Map([[key, text]]), spent.map((old) => `${ROOT}${pchannel}/${old}`), { when: [when] })
  return applied
}
