/** From a request's consistency to the timestamp up to which everything must be seen (Milvus's guarantee timestamp). */
import { addDuration } from '@timetick/tso'

export const ConsistencyLevel = { Strong: 0, Session: 1, Bounded: 2, Eventually: 3, Customized: 4 } as const

/** Guarantee timestamps below this are Milvus's marks: 0 strong, 1 eventual, 2 bounded. */
const MARKS = 3n
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
}

/** @param collectionLevel the collection's own level, for requests that name none */
export async function guaranteeTimestamp(request: ConsistencyRequest, collectionLevel: number, { now, gracefulTimeMs }: GuaranteeOptions): Promise<bigint> {
  const given = request.guarantee_timestamp ?? 0n
  const level = request.use_default_consistency === true ? collectionLevel : (request.consistency_level ?? ConsistencyLevel.Strong)
  switch (level) {
    case ConsistencyLevel.Strong:
      return now()
    case ConsistencyLevel.Bounded:
      return addDuration(await now(), -gracefulTimeMs)
    case ConsistencyLevel.Eventually:
      return EVENTUAL
    default:
      // Session and Customized: what the client saw last, or a mark.
      if (given >= MARKS) return given
      if (given === 0n) return now()
      return given === EVENTUAL ? EVENTUAL : addDuration(await now(), -gracefulTimeMs)
  }
}
