/** Where each epoch of a channel begins, as its owners noted it: `fences/<pchannel>/<epoch>` holds the place of the fence. */
import type { KVBase } from '@timetick/kv'
import { positionFromJson, positionToJson, type MsgPositionJson } from '@timetick/msgstream'
import type { FenceMark } from '../channel/fenced-mq.ts'
import { COMMIT_FENCES } from '../staging/commit-keys.ts'

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
 * Notes a fence, and forgets those that no reader can ask for any more. Commits that are under way on the channel can not be recorded any
 * more: what they wrote may stand on either side of the fence.
 * @param when the assignment's own revision: undefined when it is another's by now
 * @returns of the key on which commits on the channel depend from now on
 */
export async function saveFence(kv: KVBase, pchannel: string, { epoch, id }: FenceMark, spent: readonly bigint[], when: { readonly key: string; readonly modRevision: bigint }): Promise<bigint | undefined> {
  const key = `${ROOT}${pchannel}/${epoch}`
  const text = JSON.stringify(positionToJson({ channel: pchannel, msgId: id, timestamp: 0n }))
  const saves = new Map([[key, text], [COMMIT_FENCES + pchannel, commitFenceText(epoch, 0)]])
  const { applied, revision } = await kv.multiSaveAndRemove(saves, spent.map((old) => `${ROOT}${pchannel}/${old}`), { when: [when] })
  return applied ? revision : undefined
}

/** Tells whose it is: an owner knows its own again when the answer to a save was lost. */
export function commitFenceText(epoch: bigint, count: number): string {
  return `${epoch}.${count}`
}
