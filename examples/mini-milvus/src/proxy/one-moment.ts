/** Calls that look more than once: all looks see the same moment, or the call begins anew. */
import type { QueryNodeApi, ReadRequest } from '../querynode/api.ts'
import { isMomentGone } from '../querynode/scope.ts'
import { Code, MilvusError } from '../server/status.ts'

/** A flush of rows to segments between two looks costs another attempt; there is one in some seconds at most. */
const MAX_ATTEMPTS = 8

export async function atOneMoment<Request extends Pick<ReadRequest, 'collectionId' | 'guaranteeTs' | 'signal'>, Result>(
  queryNode: Pick<QueryNodeApi, 'moment'>,
  request: Request,
  look: (request: Request & Pick<ReadRequest, 'momentTs'>) => Promise<Result>,
): Promise<Result> {
  for (let attempt = 1; ; attempt++) {
    const moment = await queryNode.moment?.(request)
    if (moment === undefined) return look(request)
    try {
      return await look({ ...request, guaranteeTs: moment.ts, momentTs: moment.ts })
    } catch (error) {
      if (!isMomentGone(error)) throw error
      if (attempt === MAX_ATTEMPTS) throw new MilvusError(Code.NotReady, 'service not ready: the collection is flushed too often to be read at one moment, retry later', undefined, { cause: error })
    } finally {
      moment.release()
    }
  }
}
