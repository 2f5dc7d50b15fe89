/** The catalog's mirror in memory: everything readers ask, synchronously. It changes only by `apply`. */
import type { ImportJobMeta, ImportPartMeta } from '../model/import-job.ts'
import type { AliasMeta, CollectionMeta, DatabaseMeta, IndexMeta, LoadMeta, PartitionMeta, SegmentMeta } from '../model/meta.ts'
import { collectionNotFound, databaseNotFound, partitionNotFound } from '../server/status.ts'
import type { MetaChange } from './api.ts'
import type { CatalogRecord } from './catalog-records.ts'

type Named<T> = Map<string, Map<string, T>>

export class CatalogState {
  readonly #databases = new Map<string, DatabaseMeta>()
  readonly #collections = new Map<bigint, CollectionMeta>()
  /** Collection ids by database and name. */
  readonly #names: Named<bigint> = new Map()
  readonly #aliases: Named<AliasMeta> = new Map()
  readonly #indexes = new Map<bigint, Map<bigint, IndexMeta>>()
  readonly #loads = new Map<bigint, LoadMeta>()
  readonly #segments = new Map<bigint, SegmentMeta>()
  readonly #segmentsOf = new Map<bigint, Map<bigint, SegmentMeta>>()
  readonly #flushed = new Map<bigint, Map<string, bigint>>()
  readonly #checkpoints = new Map<string, string>()
  readonly #imports = new Map<bigint, ImportJobMeta>()
  readonly #importParts = new Map<bigint, Map<number, ImportPartMeta>>()

  databases(): readonly DatabaseMeta[] {
    return [...this.#databases.values()]
  }

  findDatabase(name: string): DatabaseMeta | undefined {
    return this.#databases.get(name)
  }

  database(name: string): DatabaseMeta {
    const database = this.#databases.get(name)
    if (database === undefined) throw databaseNotFound(name)
    return database
  }

  collection(dbName: string, nameOrAlias: string): CollectionMeta {
    this.database(dbName)
    const found = this.findCollection(dbName, nameOrAlias)
    if (found === undefined) throw collectionNotFound(dbName, nameOrAlias)
    return found
  }

  findCollection(dbName: string, nameOrAlias: string): CollectionMeta | undefined {
    return this.findByName(dbName, nameOrAlias) ?? this.findByAlias(dbName, nameOrAlias)
  }

  findByName(dbName: string, name: string): CollectionMeta | undefined {
    const id = this.#names.get(dbName)?.get(name)
    return id === undefined ? undefined : this.#collections.get(id)
  }

  findByAlias(dbName: string, alias: string): CollectionMeta | undefined {
    const meta = this.findAlias(dbName, alias)
    return meta === undefined ? undefined : this.#collections.get(meta.collectionId)
  }

  findAlias(dbName: string, alias: string): AliasMeta | undefined {
    return this.#aliases.get(dbName)?.get(alias)
  }

  collectionById(id: bigint): CollectionMeta | undefined {
    return this.#collections.get(id)
  }

  /** In order of creation. */
  collections(dbName?: string): readonly CollectionMeta[] {
    const all = [...this.#collections.values()].sort((a, b) => compare(a.createdTs, b.createdTs) || compare(a.id, b.id))
    return dbName === undefined ? all : all.filter((collection) => collection.dbName === dbName)
  }

  partition(collection: CollectionMeta, name: string): PartitionMeta {
    const partition = collection.partitions.find((candidate) => candidate.name === name)
    if (partition === undefined) throw partitionNotFound(name)
    return partition
  }

  aliases(collectionId: bigint): readonly AliasMeta[] {
    const dbName = this.#collections.get(collectionId)?.dbName
    const all = dbName === undefined ? undefined : this.#aliases.get(dbName)
    return all === undefined ? [] : [...all.values()].filter((alias) => alias.collectionId === collectionId)
  }

  indexes(collectionId: bigint): readonly IndexMeta[] {
    return [...(this.#indexes.get(collectionId)?.values() ?? [])].sort((a, b) => compare(a.id, b.id))
  }

  load(collectionId: bigint): LoadMeta | undefined {
    return this.#loads.get(collectionId)
  }

  segments(collectionId: bigint): readonly SegmentMeta[] {
    return [...(this.#segmentsOf.get(collectionId)?.values() ?? [])]
  }

  segment(id: bigint): SegmentMeta | undefined {
    return this.#segments.get(id)
  }

  flushedTs(collectionId: bigint, vchannel: string): bigint {
    return this.#flushed.get(collectionId)?.get(vchannel) ?? 0n
  }

  /** Shards of a collection that were flushed at least once. */
  flushedChannels(collectionId: bigint): readonly string[] {
    return [...(this.#flushed.get(collectionId)?.keys() ?? [])]
  }

  checkpoint(pchannel: string): string | undefined {
    return this.#checkpoints.get(pchannel)
  }

  /** In order of creation. */
  imports(): readonly ImportJobMeta[] {
    return [...this.#imports.values()].sort((a, b) => compare(a.id, b.id))
  }

  import(id: bigint): ImportJobMeta | undefined {
    return this.#imports.get(id)
  }

  importParts(jobId: bigint): readonly ImportPartMeta[] {
    return [...(this.#importParts.get(jobId)?.values() ?? [])].sort((a, b) => a.number - b.number)
  }

  /** The change to announce, if it is one that is announced and something changed. */
  apply(record: CatalogRecord): MetaChange | undefined {
    switch (record.kind) {
      case 'database':
        setOrDelete(this.#databases, record.name, record.value)
        return undefined
      case 'collection':
        return this.#applyCollection(record.id, record.value)
      case 'alias':
        setNested(this.#aliases, record.dbName, record.alias, record.value)
        return undefined
      case 'index': {
        const before = setNested(this.#indexes, record.collectionId, record.id, record.value)
        return changed({ kind: 'index', id: record.id, before, after: record.value })
      }
      case 'load': {
        const before = setOrDelete(this.#loads, record.collectionId, record.value)
        return changed({ kind: 'load', collectionId: record.collectionId, before, after: record.value })
      }
      case 'segment': {
        const before = setOrDelete(this.#segments, record.id, record.value)
        setNested(this.#segmentsOf, record.collectionId, record.id, record.value)
        return changed({ kind: 'segment', id: record.id, before, after: record.value })
      }
      case 'flushed':
        setNested(this.#flushed, record.collectionId, record.vchannel, record.value)
        return undefined
      case 'checkpoint':
        setOrDelete(this.#checkpoints, record.pchannel, record.value)
        return undefined
      case 'import':
        setOrDelete(this.#imports, record.id, record.value)
        return undefined
      case 'import-part':
        setNested(this.#importParts, record.jobId, record.number, record.value)
        return undefined
    }
  }

  #applyCollection(id: bigint, after: CollectionMeta | undefined): MetaChange | undefined {
    const before = setOrDelete(this.#collections, id, after)
    if (before !== undefined) setNested(this.#names, before.dbName, before.schema.name, undefined)
    if (after !== undefined) setNested(this.#names, after.dbName, after.schema.name, id)
    return changed({ kind: 'collection', id, before, after })
  }
}

function changed<Change extends MetaChange>(change: Change): Change | undefined {
  return change.before === undefined && change.after === undefined ? undefined : change
}

function setOrDelete<K, V>(map: Map<K, V>, key: K, value: V | undefined): V | undefined {
  const before = map.get(key)
  if (value === undefined) map.delete(key)
  else map.set(key, value)
  return before
}

function setNested<A, B, V>(map: Map<A, Map<B, V>>, outer: A, inner: B, value: V | undefined): V | undefined {
  let nested = map.get(outer)
  if (nested === undefined) {
    if (value === undefined) return undefined
    nested = new Map()
    map.set(outer, nested)
  }
  const before = setOrDelete(nested, inner, value)
  if (nested.size === 0) map.delete(outer)
  return before
}

function compare(a: bigint, b: bigint): number {
  return a < b ? -1 : a > b ? 1 : 0
}
