import type { MetaReader } from '../coordinator/api.ts'
import type { NodeClock } from '../edge/system.ts'
import { Code, MilvusError } from '../server/status.ts'
import type { DmlWriter } from '../writer/dml-writer.ts'
import type { Staging } from './staging.ts'

export interface StagingOptions {
  readonly meta: MetaReader
  readonly writer: DmlWriter
  readonly clock: NodeClock
}

export async function openStaging(_options: StagingOptions): Promise<Staging> {
  return {
    stage: () => Promise.reject(new MilvusError(Code.Unimplemented, 'visibility flush is not served yet')),
    flush: async () => 0n,
    discard() {},
    discardCollection() {},
    hasWork: () => false,
    stats: () => [],
    totals: () => ({ clients: 0, rows: 0, bytes: 0, spilledBytes: 0, commits: 0, committedRows: 0, discards: 0, discardedRows: 0 }),
    close: async () => undefined,
  }
}
