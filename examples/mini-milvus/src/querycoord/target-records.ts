/**
 * Replicas as text for the KVBase: ids of segments in groups of one node, shard and partition, in base 36. Few of them are part of
 * the replica's own record. Many are beside it, in chunks whose names say what is in them: no value is larger than a store takes, and
 * a target that differs from another in one segment has all chunks but one in common with it.
 */
import { createHash } from 'node:crypto'
import type { ReplicaRecord, ReplicaTarget, SegmentPlace, ShardTarget } from '../model/target.ts'

/** Node, index of the channel, partition, ids. */
type StoredGroup = readonly [string, number, string, string]

interface StoredTarget {
  readonly v: number
  readonly p: readonly string[]
  readonly w: boolean
  /** Channel, leader, flushedTs. */
  readonly s: readonly (readonly [string, string, string])[]
  readonly g: readonly StoredGroup[]
  /** Names of chunks with more groups. */
  readonly c?: readonly string[] | undefined
}

interface StoredRecord {
  readonly group: string
  readonly nodes: readonly string[]
  readonly current: StoredTarget | undefined
  readonly next: StoredTarget | undefined
  readonly retired: readonly StoredTarget[]
  readonly last: number
}

export interface StoredReplica {
  readonly head: string
  /** By name. */
  readonly chunks: ReadonlyMap<string, string>
}

interface EncodedTarget {
  readonly stored: StoredTarget
  readonly chunks: ReadonlyMap<string, string>
}

/** Segments of a target that are part of the record itself, and about as many as one chunk has. */
const CHUNK_SEGMENTS = 1_000

/** Targets never change. */
const encoded = new WeakMap<ReplicaTarget, EncodedTarget>()

export function encodeReplica({ resourceGroup, nodeIds, current, next, retired, lastVersion }: ReplicaRecord): StoredReplica {
  const chunks = new Map<string, string>()
  const store = (target: ReplicaTarget): StoredTarget => {
    const found = encoded.get(target) ?? encodeTarget(target)
    encoded.set(target, found)
    for (const [name, text] of found.chunks) chunks.set(name, text)
    return found.stored
  }
  const stored: StoredRecord = {
    group: resourceGroup,
    nodes: nodeIds.map(String),
    current: current === undefined ? undefined : store(current),
    next: next === undefined ? undefined : store(next),
    retired: retired.map(store),
    last: lastVersion,
  }
  return { head: JSON.stringify(stored), chunks }
}

export interface DecodeOptions {
  readonly collectionId: bigint
  readonly replicaId: bigint
  /** Text of a chunk, where it is there. */
  readonly chunk: (name: string) => string | undefined
  /** The replica as it was: targets of it that are still there are the same objects. */
  readonly before?: ReplicaRecord | undefined
  /** Chunks that were read before, by name. */
  readonly places?: Map<string, readonly SegmentPlace[]> | undefined
}

/** Undefined while one of its chunks is not there. */
export function decodeReplica(head: string, options: DecodeOptions): ReplicaRecord | undefined {
  const { group, nodes, current, next, retired, last } = JSON.parse(head) as StoredRecord
  const { collectionId, replicaId, before } = options
  const known = new Map([before?.current, before?.next, ...(before?.retired ?? [])].flatMap((target) => (target === undefined ? [] : [[target.version, target] as const])))
  const stored = [current, next, ...retired].filter((target) => target !== undefined)
  const targets = new Map<number, ReplicaTarget>()
  for (const one of stored) {
    const target = known.get(one.v) ?? decodeTarget(one, options)
    if (target === undefined) return undefined
    targets.set(one.v, target)
  }
  const find = (target: StoredTarget | undefined): ReplicaTarget | undefined => (target === undefined ? undefined : targets.get(target.v))
  return { replicaId, collectionId, resourceGroup: group, nodeIds: nodes.map(BigInt), current: find(current), next: find(next), retired: retired.map((target) => find(target) as ReplicaTarget), lastVersion: last }
}

/** Names of all chunks that a record needs. */
export function chunkNames(head: string): ReadonlySet<string> {
  const { current, next, retired } = JSON.parse(head) as StoredRecord
  return new Set([current, next, ...retired].flatMap((target) => target?.c ?? []))
}

function encodeTarget({ version, partitionIds, wholeCollection, shards, segments }: ReplicaTarget): EncodedTarget {
  const indexes = new Map(shards.map(({ vchannel }, index) => [vchannel, index]))
  const chunks = new Map<string, string>()
  const names: string[] = []
  const isSmall = segments.length <= CHUNK_SEGMENTS
  const channels = shards.map(({ vchannel }) => vchannel).join(' ')
  if (!isSmall) {
    for (const bucket of buckets(segments)) {
      const text = JSON.stringify(groupsOf(bucket, indexes))
      const name = createHash('sha256').update(channels).update(text).digest('hex').slice(0, 24)
      chunks.set(name, text)
      names.push(name)
    }
  }
  const stored = {
    v: version,
    p: partitionIds.map(String),
    w: wholeCollection,
    s: shards.map(({ vchannel, leader, flushedTs }) => [vchannel, String(leader), String(flushedTs)] as const),
    g: isSmall ? groupsOf(segments, indexes) : [],
    c: isSmall ? undefined : names,
  }
  return { stored, chunks }
}

/** A segment is in the same one whatever others there are, while their number is about the same. */
function buckets(segments: readonly SegmentPlace[]): SegmentPlace[][] {
  const bits = Math.ceil(Math.log2(segments.length / CHUNK_SEGMENTS))
  const result = Array.from({ length: 2 ** bits }, (): SegmentPlace[] => [])
  for (const place of segments) result[Number(BigInt.asUintN(32, place.segmentId * 2_654_435_761n)) >>> (32 - bits)]?.push(place)
  return result.filter((bucket) => bucket.length > 0).map((bucket) => bucket.sort((a, b) => (a.segmentId < b.segmentId ? -1 : 1)))
}

function groupsOf(segments: readonly SegmentPlace[], indexes: ReadonlyMap<string, number>): StoredGroup[] {
  const groups = new Map<string, { readonly place: SegmentPlace; readonly ids: string[] }>()
  for (const place of segments) {
    const key = `${place.nodeId}/${place.vchannel}/${place.partitionId}`
    let group = groups.get(key)
    if (group === undefined) groups.set(key, (group = { place, ids: [] }))
    group.ids.push(place.segmentId.toString(36))
  }
  return [...groups.values()].map(({ place, ids }) => [String(place.nodeId), indexes.get(place.vchannel) ?? -1, String(place.partitionId), ids.join(' ')])
}

function decodeTarget({ v, p, w, s, g, c = [] }: StoredTarget, { chunk, places = new Map<string, readonly SegmentPlace[]>() }: DecodeOptions): ReplicaTarget | undefined {
  const shards = s.map(([vchannel, leader, flushedTs]) => ({ vchannel, leader: BigInt(leader), flushedTs: BigInt(flushedTs) }))
  const segments: SegmentPlace[][] = [placesOf(g, shards)]
  for (const name of c) {
    const known = places.get(name)
    const text = known === undefined ? chunk(name) : undefined
    if (known === undefined && text === undefined) return undefined
    const found = known ?? placesOf(JSON.parse(text ?? '[]') as StoredGroup[], shards)
    places.set(name, found)
    segments.push(found as SegmentPlace[])
  }
  return { version: v, partitionIds: p.map(BigInt), wholeCollection: w, shards, segments: segments.length === 1 ? (segments[0] as SegmentPlace[]) : segments.flat() }
}

function placesOf(groups: readonly StoredGroup[], shards: readonly ShardTarget[]): SegmentPlace[] {
  return groups.flatMap(([node, index, partition, ids]) => {
    const [nodeId, partitionId, vchannel] = [BigInt(node), BigInt(partition), shards[index]?.vchannel ?? '']
    return ids.split(' ').map((id): SegmentPlace => ({ segmentId: fromBase36(id), partitionId, vchannel, nodeId }))
  })
}

/** Ids have up to 13 digits: in two halves that numbers hold exactly. */
function fromBase36(text: string): bigint {
  const low = text.slice(-8)
  const high = text.slice(0, -8)
  return BigInt(high === '' ? 0 : parseInt(high, 36)) * 36n ** 8n + BigInt(parseInt(low, 36))
}
