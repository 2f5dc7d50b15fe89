/** Stores into which a move was begun and not ended hold half of a node. */
import type { KVBase } from '@timetick/kv'
import { DataFolderError } from './data-folder.edge.ts'

export const UNFINISHED_MOVE = 'node/unfinished-move'

export async function refuseUnfinishedMove(kv: Pick<KVBase, 'has'>): Promise<void> {
  if (await kv.has(UNFINISHED_MOVE)) throw new DataFolderError('DATA_MISSING', 'a move into these stores was begun and not ended: run mini-milvus move again, or empty them')
}
