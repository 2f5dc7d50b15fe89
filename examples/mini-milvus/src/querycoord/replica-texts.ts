/** Replicas from their keys: `<collection>/<replica>` is a record, `<collection>/<replica>/<name>` one of its chunks. Both come in any order. */
import type { ReplicaRecord, SegmentPlace } from '../model/target.ts'
import { chunkNames, decodeReplica } from './target-records.ts'

interface Texts {
  readonly collectionId: bigint
  readonly replicaId: bigint
  head: string | undefined
  /** What `record` was read from. */
  readHead: string | undefined
  readonly chunks: Map<string, string>
  /** Chunks as they were read. */
  readonly places: Map<string, readonly SegmentPlace[]>
  record: ReplicaRecord | undefined
}

export class ReplicaTexts {
  readonly #texts = new Map<string, Texts>()
  readonly #collections = new Map<bigint, Map<bigint, ReplicaRecord>>()
  #touched = new Set<string>()

  /** @param key below the root. Of others than those above nothing is kept. */
  apply(key: string, value: string | undefined): void {
    const [collection, replica, name] = key.split('/')
    if (collection === undefined || replica === undefined || !/^\d+$/.test(collection) || !/^\d+$/.test(replica)) return
    const id = `${collection}/${replica}`
    let texts = this.#texts.get(id)
    if (texts === undefined) {
      texts = { collectionId: BigInt(collection), replicaId: BigInt(replica), head: undefined, readHead: undefined, chunks: new Map(), places: new Map(), record: undefined }
      this.#texts.set(id, texts)
    }
    if (name === undefined) texts.head = value
    else if (value === undefined) texts.chunks.delete(name)
    else texts.chunks.set(name, value)
    this.#touched.add(id)
  }

  /** A replica's own record whose meaning is known: all its chunks have been applied. */
  adopt(key: string, value: string, record: ReplicaRecord): void {
    this.apply(key, value)
    const texts = this.#texts.get(key)
    if (texts === undefined) return
    texts.readHead = value
    texts.record = record
    this.#show(texts)
  }

  /** Reads what was applied. One whose chunks are not all there yet stays as it was. The result: collections whose replicas are others now. */
  settle(): ReadonlySet<bigint> {
    const changed = new Set<bigint>()
    for (const id of this.#touched) {
      const texts = this.#texts.get(id)
      if (texts === undefined) continue
      const before = texts.record
      this.#read(texts)
      if (texts.record !== before) changed.add(texts.collectionId)
      this.#show(texts)
      if (texts.head === undefined && texts.chunks.size === 0) this.#texts.delete(id)
    }
    this.#touched = new Set()
    return changed
  }

  /** In order of their ids. */
  replicas(collectionId: bigint): readonly ReplicaRecord[] {
    return [...(this.#collections.get(collectionId)?.values() ?? [])].sort((a, b) => (a.replicaId < b.replicaId ? -1 : 1))
  }

  collectionIds(): readonly bigint[] {
    return [...this.#collections.keys()]
  }

  /** Chunks that no record needs, as keys, of these replicas or of all: what a writer that died left behind. */
  orphans(ids: Iterable<string> = this.#texts.keys()): string[] {
    return [...ids].flatMap((id) => {
      const { head, chunks } = this.#texts.get(id) ?? {}
      if (chunks === undefined || chunks.size === 0) return []
      const needed = head === undefined ? new Set() : chunkNames(head)
      return [...chunks.keys()].filter((name) => !needed.has(name)).map((name) => `${id}/${name}`)
    })
  }

  chunksOf(collectionId: bigint, replicaId: bigint): ReadonlySet<string> {
    return new Set(this.#texts.get(`${collectionId}/${replicaId}`)?.chunks.keys())
  }

  #read(texts: Texts): void {
    const { head, chunks, collectionId, replicaId, record: before } = texts
    if (head === texts.readHead) return
    if (head === undefined) {
      texts.record = undefined
      texts.readHead = undefined
      return
    }
    const record = decodeReplica(head, { collectionId, replicaId, chunk: (name) => chunks.get(name), before, places: texts.places })
    if (record === undefined) return
    texts.record = record
    texts.readHead = head
    for (const name of texts.places.keys()) if (!chunks.has(name)) texts.places.delete(name)
  }

  #show({ collectionId, replicaId, record }: Texts): void {
    const replicas = this.#collections.get(collectionId) ?? new Map<bigint, ReplicaRecord>()
    if (record === undefined) replicas.delete(replicaId)
    else replicas.set(replicaId, record)
    if (replicas.size === 0) this.#collections.delete(collectionId)
    else this.#collections.set(collectionId, replicas)
  }
}
