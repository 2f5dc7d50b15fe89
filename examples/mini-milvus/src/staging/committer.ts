/** How staged work comes to count: all of it at one timestamp, on all its channels or, for whoever reads, on none. */
import type { DmlWrite, DmlWriter } from '../writer/dml-writer.ts'
import type { Transaction, Transactions } from './transactions.ts'

export interface Commit {
  readonly writes: readonly Omit<DmlWrite, 'signal'>[]
  /**
   * Called when the timestamp is given, before anything is appended; throws to give up. Called again, with a later timestamp, where a
   * commit begins again: the log's owners may change meanwhile.
   */
  readonly check: () => void
  /** Heeded until the parts are in the log. */
  readonly signal: AbortSignal
}

export interface Committer {
  /**
   * Resolves when the writes count, and every read that begins later sees them. Rejects with what `check` threw or the signal's reason,
   * with a {@link TransactionError} that says whether they may count all the same, or with an error of the log: nothing counts then.
   */
  commit(commit: Commit): Promise<Transaction>
}

/** Of a node alone: one writer for all channels, and one record for all parts. */
export function createCommitter(writer: Pick<DmlWriter, 'commit'>, transactions: Pick<Transactions, 'nextId' | 'commit'>): Committer {
  return {
    commit(commit) {
      const transaction = transactions.nextId()
      return writer.commit({ ...commit, transaction, confirm: (parts) => transactions.commit(transaction, parts) })
    },
  }
}
