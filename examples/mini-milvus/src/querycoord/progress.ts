/** Which replicas of a loaded collection cannot be read yet. Pure. */
import type { LoadMeta } from '../model/meta.ts'
import type { ReplicaRecord } from '../model/target.ts'

/** Undefined where some of them are not even planned. */
export function missingReplicas(records: readonly ReplicaRecord[], load: LoadMeta): readonly ReplicaRecord[] | undefined {
  if (records.length < load.replicaNumber) return undefined
  return records.filter((record) => record.current === undefined || !covers(record, load))
}

function covers({ current }: ReplicaRecord, load: LoadMeta): boolean {
  return current !== undefined && (current.wholeCollection || (!load.wholeCollection && load.partitionIds.every((id) => current.partitionIds.includes(id))))
}
