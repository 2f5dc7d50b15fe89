/** Which segments to rewrite: many small ones into one, and those that deletes have hollowed out. Pure. */
import type { SegmentMeta } from '../model/meta.ts'

export interface CompactionPolicy {
  /** So many small segments of a partition and shard are merged. */
  readonly minSegments: number
  /** Smaller segments are small; a merge makes none that is larger. */
  readonly maxBytes: number
  /** A segment with more deletes pending than this share of its rows is rewritten. */
  readonly deleteShare: number
  /** A segment is rewritten also for rows that it does not hold any more, but that statistics count: who asks for a compaction expects them to go. */
  readonly reclaimsDeadRows?: boolean | undefined
}

export interface CompactionJob {
  /** Of one partition and shard, oldest first. */
  readonly segments: readonly SegmentMeta[]
  /** Delta segments whose deletes the new segment will know. */
  readonly deltas: readonly SegmentMeta[]
  /** All deletes of the shard at or below this are in `deltas` or known to the segments. */
  readonly deletesTs: bigint
}

/** The next rewrite of a collection's segments, or undefined. @param flushedTs how far a shard was flushed */
export function nextCompaction(segments: readonly SegmentMeta[], flushedTs: (vchannel: string) => bigint, policy: CompactionPolicy): CompactionJob | undefined {
  for (const group of groups(segments)) {
    const deltas = segments.filter((delta) => reaches(delta, group[0] as SegmentMeta))
    const chosen = hollow(group, deltas, policy) ?? small(group, policy)
    if (chosen === undefined) continue
    const oldest = chosen.reduce((least, { deletesTs }) => (deletesTs < least ? deletesTs : least), (chosen[0] as SegmentMeta).deletesTs)
    return { segments: chosen, deltas: deltas.filter(({ endTs }) => endTs > oldest), deletesTs: flushedTs((chosen[0] as SegmentMeta).vchannel) }
  }
  return undefined
}

/** Delta segments whose deletes every segment that they can reach knows: their files can go. */
export function spentDeltas(segments: readonly SegmentMeta[]): SegmentMeta[] {
  const rows = segments.filter(({ level }) => level === 'L1')
  return segments.filter((delta) => delta.level === 'L0' && rows.every((segment) => !reaches(delta, segment) || segment.deletesTs >= delta.endTs))
}

function reaches(delta: SegmentMeta, segment: SegmentMeta): boolean {
  return delta.level === 'L0' && delta.vchannel === segment.vchannel && (delta.partitionId === 0n || delta.partitionId === segment.partitionId)
}

function groups(segments: readonly SegmentMeta[]): SegmentMeta[][] {
  const byScope = new Map<string, SegmentMeta[]>()
  for (const segment of segments) {
    if (segment.level !== 'L1') continue
    const name = `${segment.vchannel}/${segment.partitionId}`
    const group = byScope.get(name)
    if (group === undefined) byScope.set(name, [segment])
    else group.push(segment)
  }
  const oldestFirst = (a: SegmentMeta, b: SegmentMeta): number => (a.startTs < b.startTs ? -1 : a.startTs > b.startTs ? 1 : 0)
  return [...byScope.values()].map((group) => group.sort(oldestFirst))
}

function hollow(group: readonly SegmentMeta[], deltas: readonly SegmentMeta[], { deleteShare, reclaimsDeadRows }: CompactionPolicy): SegmentMeta[] | undefined {
  const found = group.find((segment) => {
    const pending = deltas.filter(({ endTs }) => endTs > segment.deletesTs).reduce((sum, { rows }) => sum + rows, 0)
    return pending > segment.rows * deleteShare || (reclaimsDeadRows === true && segment.deadRows !== undefined)
  })
  return found === undefined ? undefined : [found]
}

function small(group: readonly SegmentMeta[], { minSegments, maxBytes }: CompactionPolicy): SegmentMeta[] | undefined {
  const chosen: SegmentMeta[] = []
  let bytes = 0
  for (const segment of group.filter((candidate) => candidate.bytes < maxBytes / 2)) {
    if (bytes + segment.bytes > maxBytes) break
    chosen.push(segment)
    bytes += segment.bytes
  }
  return chosen.length >= minSegments ? chosen : undefined
}
