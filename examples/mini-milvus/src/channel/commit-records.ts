/**
 * What an owner of a channel writes into its log for commits that span channels: that one has begun, which no reader of rows gets, and
 * that one counts. A decision bears the timestamp of the parts that it is about, so that whoever takes the log in steps of time has both
 * in one step, and needs to ask nobody.
 */
import { createTsMsg, type TsMsg } from '@timetick/msgstream'
import { decodeMeta, encodeMeta } from '../model/meta.ts'
import type { Transaction } from '../staging/transactions.ts'

/** Types of our own, beside those of `fenced-mq.ts`. */
export const DECISION = 9_002
export const HOLD = 9_003

/** The channel's time stays below it until it is decided what becomes of the commit. */
export function holdRecord(id: string): TsMsg {
  return createTsMsg({ type: HOLD, properties: { x: id } })
}

/** The commit counts. One more of the same changes nothing. */
export function decisionRecord(id: string, { ts, channels }: Transaction): TsMsg {
  return createTsMsg({ type: DECISION, ts, properties: { x: id }, body: new TextEncoder().encode(encodeMeta(channels)) })
}

/** Undefined for what is no decision. */
export function decisionOf({ type, endTs, properties, body }: TsMsg): { readonly id: string; readonly transaction: Transaction } | undefined {
  if (type !== DECISION || properties['x'] === undefined) return undefined
  return { id: properties['x'], transaction: { ts: endTs, channels: decodeMeta<string[]>(new TextDecoder().decode(body)) } }
}
