/** A cluster stages nothing: what a client has not flushed would be known to one of its proxies alone. */
import { Code, MilvusError } from '../server/status.ts'
import type { Staging } from '../staging/staging.ts'

export function createNoStaging(): Staging {
  return {
    stage: () => Promise.reject(new MilvusError(Code.Unimplemented, 'visibility flush is served by a node that is alone, not by a cluster')),
    flush: async () => 0n,
    discard() {},
    discardCollection() {},
    hasWork: () => false,
    lastCommit: () => 0n,
    alone: (work) => work(),
    stats: () => [],
    totals: () => ({ clients: 0, rows: 0, bytes: 0, spilledBytes: 0, commits: 0, committedRows: 0, discards: 0, discardedRows: 0 }),
    close: async () => undefined,
  }
}
