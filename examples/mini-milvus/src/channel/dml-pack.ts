/** One step of time of a DML channel, as it travels the flow graphs of data and query nodes. */
import type { Msg } from '@timetick/flowgraph'
import type { MsgPack, MsgPosition, TsMsg } from '@timetick/msgstream'
import { noTransactions, type Transaction, type TransactionReader } from '../staging/transactions.ts'
import { decisionOf } from './commit-records.ts'
import { dmlHeader, type DmlHeader } from '../writer/log-messages.ts'

export interface DmlItem {
  readonly header: DmlHeader
  readonly message: TsMsg
  /** That it is a part of. */
  readonly transaction?: Transaction | undefined
}

export interface DmlPack extends Msg {
  readonly items: readonly DmlItem[]
  /** Reading on from here gives this pack again. */
  readonly startPosition: MsgPosition
  /** Reading on from here gives what follows. */
  readonly endPosition: MsgPosition
}

/** A pack of a stream over exactly one channel. Items ascend by timestamp, as the state machines behind need them; transactions that do not count are left out. */
export function toDmlPack(pack: MsgPack, transactions: TransactionReader = noTransactions): DmlPack {
  const [startPosition] = pack.startPositions
  const [endPosition] = pack.endPositions
  if (startPosition === undefined || endPosition === undefined) throw new Error('a pack came without positions')
  const items: DmlItem[] = []
  const decided = decisionsIn(pack)
  let sorted = true
  for (const message of pack.msgs) {
    const header = dmlHeader(message)
    if (header === undefined) continue
    const last = items.at(-1)
    if (header.transaction !== undefined) {
      const transaction = decided?.get(header.transaction) ?? transactions.committed(header.transaction)
      if (transaction === undefined) continue
      items.push({ header, message, transaction })
    } else items.push({ header, message })
    if (last !== undefined && last.header.ts > header.ts) sorted = false
  }
  if (!sorted) items.sort((a, b) => (a.header.ts < b.header.ts ? -1 : a.header.ts > b.header.ts ? 1 : 0))
  return { timeTick: pack.endTs, items, startPosition, endPosition }
}

/** Parts and what is decided about them bear one timestamp: they are in one step. */
function decisionsIn({ msgs }: MsgPack): ReadonlyMap<string, Transaction> | undefined {
  let decided: Map<string, Transaction> | undefined
  for (const message of msgs) {
    const decision = decisionOf(message)
    if (decision !== undefined) (decided ??= new Map()).set(decision.id, decision.transaction)
  }
  return decided
}

/** The same step with other items. */
export function withItems(pack: DmlPack, items: readonly DmlItem[]): DmlPack {
  return { timeTick: pack.timeTick, items, startPosition: pack.startPosition, endPosition: pack.endPosition }
}
