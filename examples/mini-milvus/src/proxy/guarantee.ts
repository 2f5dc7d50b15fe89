/** From a request's consistency to the timestamp up to which everything must be seen (Milvus's guarantee timestamp). */
import { addDuration } from '@timetick/tso'
import type { CollectionMeta } from '../model/meta.ts'

export const ConsistencyLevel = { Strong: 0, Session: 1, Bounded: 2, Eventually: 3, Customized: 4 } as const

/** Guarantee timestamps below this are Milvus's marks: 0 strong, 1 eventual, 2 bounded. */
export const MARKS = 3n
/** What an eventual read asks for: anything. */
const EVENTUAL = 1n

export interface ConsistencyRequest {
  readonly consistency_level?: number | undefined
  readonly use_default_consistency?: boolean | undefined
  readonly guarantee_timestamp?: bigint | undefined
}

export interface GuaranteeOptions {
  readonly now: () => Promise<bigint>
  /** How stale a bounded read may be. */
  readonly gracefulTimeMs: number
  /** Timestamp of the last write to a collection that was acknowledged here, 0n when there was none. */
  readonly lastWrite: (collectionId: bigint) => bigint
  /** What every read must see, whatever it asks for: the last flush of rule `flush`; 0n where there was none. */
  readonly lastCommit?: ((collectionId: bigint) => bigint) | undefined
}

/**
 * A bounded read sees, beyond Milvus's promise, whatever was acknowledged here before it was asked: it waits only when
 * something was written in the last moments.
 */
export async function guaranteeTimestamp(request: ConsistencyRequest, collection: Pick<CollectionMeta, 'id' | 'consistencyLevel'>, options: GuaranteeOptions): Promise<bigint> {
  const asked = await askedTimestamp(request, collection, options)
  const committed = options.lastCommit?.(collection.id) ?? 0n
  return committed > asked ? committed : asked
}

async function askedTimestamp(request: ConsistencyRequest, collection: Pick<CollectionMeta, 'id' | 'consistencyLevel'>, options: GuaranteeOptions): Promise<bigint> {
  const { now } = options
  const given = request.guarantee_timestamp ?? 0n
  const level = request.use_default_consistency === true ? collection.consistencyLevel : (request.consistency_level ?? ConsistencyLevel.Strong)
  switch (level) {
    case ConsistencyLevel.Strong:
      return now()
    case ConsistencyLevel.Bounded:
      return bounded(collection.id, options)
    case ConsistencyLevel.Eventually:
      return EVENTUAL
    default:
      // Session and Customized: what the client saw last, or a mark.
      if (given >= MARKS) return given
      if (given === 0n) return now()
      return given === EVENTUAL ? EVENTUAL : bounded(collection.id, options)
  }
}

async function bounded(collectionId: bigint, { now, gracefulTimeMs, lastWrite }: GuaranteeOptions): Promise<bigint> {
  const oldest = addDuration(await now(), -gracefulTimeMs)
  const written = lastWrite(collectionId)
  return written > oldest ? written : oldest
}
