/** What a source tells of at once, and not when it is asked: changes of metadata, and slow calls. */
import type { Row, Sink } from 'timetick-insight/embed'
import type { MetaReader } from '../coordinator/api.ts'
import type { CallBoard, SlowCall } from './call-board.ts'
import { collectionKey } from './rows.ts'

export interface PushedOptions {
  readonly meta: Pick<MetaReader, 'onChange'>
  readonly board: CallBoard
  readonly slowRow: (call: SlowCall) => Row
  /** Something of the collection has changed: what defines it, or how far it is. */
  readonly onCollection: (id: bigint | undefined, what: 'definition' | 'state') => void
  readonly onGone: (id: bigint) => void
}

/** @returns ends it */
export function startPushing(to: Sink, { meta, board, slowRow, onCollection, onGone }: PushedOptions): () => void {
  const stopChanges = meta.onChange((change) => {
    if (change.kind === 'collection') {
      const { before, after } = change
      if (before !== undefined && (after === undefined || before.dbName !== after.dbName)) to.drop('collection', collectionKey(before))
      if (after === undefined) onGone(change.id)
      onCollection(change.id, 'definition')
    } else if (change.kind === 'load') onCollection(change.collectionId, 'state')
    else onCollection((change.after ?? change.before)?.collectionId, 'state')
  })
  for (const call of board.slow) to.upsert('slowRequest', call.id, slowRow(call))
  to.full('slowRequest', '', new Set(board.slow.map(({ id }) => id)))
  board.onSlow = (call, forgotten) => {
    to.upsert('slowRequest', call.id, slowRow(call))
    if (forgotten !== undefined) to.drop('slowRequest', forgotten.id)
  }
  return () => {
    stopChanges()
    board.onSlow = undefined
  }
}
