/** The records of commits that count, as processes read them that begin to read the log, or to write it. */
import type { KVBase } from '@timetick/kv'
import { encodeEnvelope, type MqProducer } from '@timetick/msgstream'
import { decisionRecord } from '../channel/commit-records.ts'
import { decodeMeta } from '../model/meta.ts'
import { COMMITS } from '../staging/commit-keys.ts'
import type { Transaction, TransactionReader } from '../staging/transactions.ts'

const PAGE = 1_000
const SENT_AT_ONCE = 500

export async function loadCommits(kv: Pick<KVBase, 'loadWithPrefix'>, keep: (commit: Transaction) => boolean = () => true): Promise<Map<string, Transaction>> {
  const found = new Map<string, Transaction>()
  let startAfter: string | undefined
  for (let more = true; more;) {
    const page = await kv.loadWithPrefix(COMMITS, { limit: PAGE, startAfter })
    page.keys.forEach((key, index) => {
      const commit = decodeMeta<Transaction>(page.values[index] as string)
      if (keep(commit)) found.set(key.slice(COMMITS.length), commit)
    })
    startAfter = page.keys.at(-1)
    more = page.more
  }
  return found
}

/** Of a process's start. What is committed later is decided in the log: a log that was a node's alone has the record and no decision. */
export function commitsOf(records: ReadonlyMap<string, Transaction>): TransactionReader {
  const latest = [...records.values()].reduce((most, { ts }) => (ts > most ? ts : most), 0n)
  return { committed: (id) => records.get(id), latestTs: () => latest }
}

/**
 * What the former owner may not have come to: the first that a new one writes behind its fence, before any tick. Resolves when it is in the
 * log. Most of it says what readers know.
 */
export async function writeDecisions(openProducer: () => Promise<MqProducer>, commits: ReadonlyMap<string, Transaction>): Promise<void> {
  const frames = [...commits].map(([id, commit]) => encodeEnvelope(decisionRecord(id, commit)))
  if (frames.length === 0) return
  const producer = await openProducer()
  try {
    for (let begin = 0; begin < frames.length; begin += SENT_AT_ONCE) await producer.send(frames.slice(begin, begin + SENT_AT_ONCE))
  } finally {
    await producer.close()
  }
}
