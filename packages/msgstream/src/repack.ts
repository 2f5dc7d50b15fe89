/** Which message goes to which channel. */
import { MsgStreamError } from './errors.ts'
import type { RepackFunc, TsMsg } from './message.ts'

/** Milvus's default rule: the first hash key modulo the number of channels; other keys are ignored. */
export const defaultRepack: RepackFunc = (msgs, hashKeys, channels) => {
  const buckets = new Map<number, TsMsg[]>()
  for (let i = 0; i < msgs.length; i++) {
    const key = hashKeys[i]?.[0]
    if (key === undefined) throw new MsgStreamError('MSG_REPACK_INVALID', `message ${i} has no hash key`, { outcome: 'not-applied', details: { index: i } })
    // `>>> 0` first: a key that was an int32 elsewhere must not give a negative bucket.
    const bucket = (key >>> 0) % channels
    const list = buckets.get(bucket)
    if (list === undefined) buckets.set(bucket, [msgs[i] as TsMsg])
    else list.push(msgs[i] as TsMsg)
  }
  return buckets
}

/** Apply a repack function and refuse a result that would crash or lose something: bucket numbers in range, every message somewhere. */
export function repack(func: RepackFunc, msgs: readonly TsMsg[], channels: number): ReadonlyMap<number, readonly TsMsg[]> {
  const keys = msgs.map((msg) => msg.hashKeys)
  const buckets = func(msgs, keys, channels)
  if (func === defaultRepack) return buckets
  if (!(buckets instanceof Map)) throw invalid('expected a Map of bucket to messages', {})
  const seen = new Set<TsMsg>()
  for (const [bucket, list] of buckets as ReadonlyMap<unknown, unknown>) {
    if (typeof bucket !== 'number' || !Number.isInteger(bucket) || bucket < 0 || bucket >= channels) {
      throw invalid(`bucket ${String(bucket)} is not in 0..${channels - 1}`, { bucket })
    }
    if (!Array.isArray(list)) throw invalid(`bucket ${bucket} has no array of messages`, { bucket })
    for (const msg of list as TsMsg[]) seen.add(msg)
  }
  const missing = msgs.findIndex((msg) => !seen.has(msg))
  // A function that splits messages returns others; one that returns none of the pack's has replaced them all.
  if (missing !== -1 && seen.size < msgs.length) throw invalid(`message ${missing} is in no bucket`, { index: missing })
  return buckets
}

function invalid(what: string, details: Record<string, unknown>): MsgStreamError {
  return new MsgStreamError('MSG_REPACK_INVALID', `bad result of the repack function: ${what}`, { outcome: 'not-applied', details })
}
