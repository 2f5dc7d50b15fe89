/** Replicas as text for the KVBase: ids of segments in groups of one node, shard and partition, in base 36, so that large collections fit a value. */
import type { ReplicaRecord, ReplicaTarget, SegmentPlace } from '../model/target.ts'

interface StoredTarget {
  readonly v: number
  readonly p: readonly string[]
  readonly w: boolean
  /** Channel, leader, flushedTs. */
  readonly s: readonly (readonly [string, string, string])[]
  /** Node, index of the channel, partition, ids. */
  readonly g: readonly (readonly [string, number, string, string])[]
}

interface StoredRecord {
  readonly group: string
  readonly nodes: readonly string[]
  readonly current: StoredTarget | undefined
  readonly next: StoredTarget | undefined
  readonly retired: readonly StoredTarget[]
  readonly last: number
}

export function encodeReplica({ resourceGroup, nodeIds, current, next, retired, lastVersion }: ReplicaRecord): string {
  const stored: StoredRecord = {
    group: resourceGroup,
    nodes: nodeIds.map(String),
    current: current === undefined ? undefined : encodeTarget(current),
    next: next === undefined ? undefined : encodeTarget(next),
    retired: retired.map(encodeTarget),
    last: lastVersion,
  }
  return JSON.stringify(stored)
}

export function decodeReplica(collectionId: bigint, replicaId: bigint, text: string): ReplicaRecord {
  const { group, nodes, current, next, retired, last } = JSON.parse(text) as StoredRecord
  return {
    replicaId,
    collectionId,
    resourceGroup: group,
    nodeIds: nodes.map(BigInt),
    current: current === undefined ? undefined : decodeTarget(current),
    next: next === undefined ? undefined : decodeTarget(next),
    retired: retired.map(decodeTarget),
    lastVersion: last,
  }
}

function encodeTarget({ version, partitionIds, wholeCollection, shards, segments }: ReplicaTarget): StoredTarget {
  const indexes = new Map(shards.map(({ vchannel }, index) => [vchannel, index]))
  const groups = new Map<string, { readonly place: SegmentPlace; readonly ids: string[] }>()
  for (const place of segments) {
    const key = `${place.nodeId}/${place.vchannel}/${place.partitionId}`
    let group = groups.get(key)
    if (group === undefined) groups.set(key, (group = { place, ids: [] }))
    group.ids.push(place.segmentId.toString(36))
  }
  return {
    v: version,
    p: partitionIds.map(String),
    w: wholeCollection,
    s: shards.map(({ vchannel, leader, flushedTs }) => [vchannel, String(leader), String(flushedTs)]),
    g: [...groups.values()].map(({ place, ids }) => [String(place.nodeId), indexes.get(place.vchannel) ?? -1, String(place.partitionId), ids.join(' ')]),
  }
}

function decodeTarget({ v, p, w, s, g }: StoredTarget): ReplicaTarget {
  const shards = s.map(([vchannel, leader, flushedTs]) => ({ vchannel, leader: BigInt(leader), flushedTs: BigInt(flushedTs) }))
  const segments = g.flatMap(([node, index, partition, ids]) => {
    const [nodeId, partitionId, vchannel] = [BigInt(node), BigInt(partition), shards[index]?.vchannel ?? '']
    return ids.split(' ').map((id): SegmentPlace => ({ segmentId: fromBase36(id), partitionId, vchannel, nodeId }))
  })
  return { version: v, partitionIds: p.map(BigInt), wholeCollection: w, shards, segments }
}

/** Ids have up to 13 digits: in two halves that numbers hold exactly. */
function fromBase36(text: string): bigint {
  const low = text.slice(-8)
  const high = text.slice(0, -8)
  return BigInt(high === '' ? 0 : parseInt(high, 36)) * 36n ** 8n + BigInt(parseInt(low, 36))
}
