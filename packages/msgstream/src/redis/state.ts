/** What is kept of a stream, and whether a reader lost something. */
import { MsgStreamError } from '../errors.ts'
import type { EntryCursor } from '../remote/entry-id.ts'
import type { RedisLink } from './link.ts'
import { stateScript } from './scripts.ts'

/** The two numbers of an entry's id: milliseconds and sequence. */
export interface StreamId {
  readonly ms: number
  readonly seq: number
}

export interface StreamState {
  readonly goneCount: string
  readonly first: StreamId | undefined
  /** The last id ever given. */
  readonly last: StreamId
  readonly trimmed: StreamId | undefined
  readonly trimmedCount: string
}

export function parseId(text: string): StreamId {
  const dash = text.indexOf('-')
  return { ms: Number(text.slice(0, dash)), seq: Number(text.slice(dash + 1)) }
}

export const compareIds = (a: StreamId, b: StreamId): number => a.ms - b.ms || a.seq - b.seq

export async function streamState(link: RedisLink, key: string, channel: string): Promise<StreamState> {
  const answer = await link.read('EVAL', stateScript, 1, key)
  if (!Array.isArray(answer)) throw new MsgStreamError('MSG_CHANNEL_NOT_FOUND', `channel ${channel} does not exist`)
  const [goneCount = '', first = '', last = '0-0', trimmed = '', trimmedCount = ''] = answer.map(String)
  return {
    goneCount,
    first: first === '' ? undefined : parseId(first),
    last: parseId(last),
    trimmed: trimmed === '' ? undefined : parseId(trimmed),
    trimmedCount,
  }
}

/**
 * True when an entry at or behind the cursor is gone. Exact for `truncate`; after a trim by others (MAXLEN) a reader in front of the
 * first kept entry is taken to have lost some.
 */
export function hasGap(state: StreamState, cursor: EntryCursor): boolean {
  const next: StreamId = { ms: cursor.high, seq: cursor.low }
  if (state.goneCount === '0') return false
  if (state.first !== undefined && compareIds(state.first, next) <= 0) return false
  if (state.goneCount === state.trimmedCount && state.trimmed !== undefined) return compareIds(state.trimmed, next) >= 0
  return state.first !== undefined || compareIds(state.last, next) >= 0
}
