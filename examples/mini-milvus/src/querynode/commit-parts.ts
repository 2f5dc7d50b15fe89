/** The parts of a commit on one channel, made ready beside what readers see, so that showing them takes no longer than a step. */
import type { DmlItem } from '../channel/dml-pack.ts'
import type { MetaReader } from '../coordinator/api.ts'
import type { Pause } from '../segment/steps.ts'
import type { FindShard } from './graph-nodes.ts'

export interface PreparedParts {
  /** In one step. @param direct applies what could not be made ready */
  apply(direct: (item: DmlItem) => void): void
}

export async function prepareParts(parts: readonly DmlItem[], _find: FindShard, _meta: MetaReader, _pause: Pause): Promise<PreparedParts> {
  return { apply: (direct) => parts.forEach(direct) }
}
