/** The pages of an iterator see one moment: its first page opens it, the later ones name it. */
import type { QueryNodeApi, ReadRequest } from '../querynode/api.ts'
import { isMomentGone } from '../querynode/scope.ts'
import { MilvusError } from '../server/status.ts'
import { atOneMoment } from './one-moment.ts'

export interface IteratorPage {
  /** That the first page was answered with; undefined: this is the first. */
  readonly ts: bigint | undefined
  /** How long the moment is kept after a page. */
  readonly keepMs: number
}

type Asked = Pick<ReadRequest, 'collectionId' | 'guaranteeTs' | 'signal' | 'momentTs' | 'keepMs'>

export async function readPage<Request extends Asked, Result>(queryNode: Pick<QueryNodeApi, 'moment'>, request: Request, { ts, keepMs }: IteratorPage, look: (request: Request) => Promise<Result>): Promise<Result> {
  if (ts === undefined) return atOneMoment(queryNode, { ...request, keepMs }, look)
  try {
    return await look({ ...request, guaranteeTs: ts, momentTs: ts, keepMs })
  } catch (error) {
    if (!isMomentGone(error)) throw error
    throw new MilvusError(1100, `the moment ${ts} that this iterator looks at is gone: no page came for ${keepMs} ms, what it looked at took too much memory, or it was dropped; begin the iterator anew`, undefined, { cause: error })
  }
}
