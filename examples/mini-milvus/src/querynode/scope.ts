/** What a read covers where several query nodes answer it together, and how one of them says that it cannot. */
import { MilvusError } from '../server/status.ts'

/** Exactly this is answered for: no row more, or another node's answer would have it too; none less. */
export interface ReadScope {
  /** The moment that is looked at. Every node of a read looks at the same. */
  readonly ts: bigint
  readonly segmentIds: readonly bigint[]
  /** Growing rows of shards that the node leads, from behind `afterTs` on. */
  readonly growing: readonly { readonly vchannel: string; readonly afterTs: bigint }[]
}

/** merr's numbers of what a node has not: with another target, another node or another moment the same read can be answered. */
const REFUSALS = { segment: 601, channel: 503, moment: 903 } as const

export class NotServable extends MilvusError {
  override readonly name = 'NotServable'

  constructor(what: keyof typeof REFUSALS, reason: string) {
    super(REFUSALS[what], reason)
  }
}

/** The moment that a read named cannot be told any more. */
export function isMomentGone(error: unknown): boolean {
  return error instanceof MilvusError && error.code === REFUSALS.moment
}

/** By its number, so that it is known also where it came over a wire. */
export function isRefusal(error: unknown, what?: keyof typeof REFUSALS): boolean {
  return error instanceof MilvusError && (what === undefined ? Object.values(REFUSALS) : [REFUSALS[what]]).some((code) => code === error.code)
}
