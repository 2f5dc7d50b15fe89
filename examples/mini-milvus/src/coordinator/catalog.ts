/** The coordinator's metadata: a mirror in memory over a KVBase, changed one transaction at a time. */
import type { KVBase } from '@timetick/kv'
import { DEFAULT_DATABASE, type SegmentIndexMeta, type SegmentMeta } from '../model/meta.ts'
import type { FieldSchema, StructMeta } from '../model/schema.ts'
import type { CatalogWriter, CreateCollectionRequest, FunctionPlan, MetaChange, MetaReader, SegmentWriter } from './api.ts'
import * as collections from './catalog-collections.ts'
import { type CatalogContext, type CatalogLimits, defaultCatalogLimits } from './catalog-context.ts'
import * as databases from './catalog-databases.ts'
import * as fields from './catalog-fields.ts'
import { changeFunctions } from './catalog-functions.ts'
import * as imports from './catalog-imports.ts'
import * as indexes from './catalog-indexes.ts'
import * as partitions from './catalog-partitions.ts'
import { type CatalogRecord, parseRecord, recordKey, recordText } from './catalog-records.ts'
import * as segments from './catalog-segments.ts'
import { CatalogState } from './catalog-state.ts'

type Params = Readonly<Record<string, string>>

export interface CatalogOptions {
  readonly kv: Pick<KVBase, 'loadWithPrefix' | 'multiLoad' | 'multiSaveAndRemove'>
  readonly ids: { allocOne(): Promise<bigint> }
  readonly timestamps: { allocOne(): Promise<bigint> }
  /** Names of the log channels that shards are spread over; at least one. */
  readonly pchannels: readonly string[]
  /** All keys start with this. Default `meta/`. */
  readonly rootPath?: string | undefined
  readonly limits?: Partial<CatalogLimits> | undefined
}

export interface Catalog extends MetaReader, CatalogWriter, SegmentWriter, imports.ImportReader, imports.ImportWriter {
  /** Resolves when no change is under way. */
  settled(): Promise<void>
  /** @param isSpent asked in its turn, when all that is stored is known: true for one that others have overtaken */
  saveCheckpoint(pchannel: string, position: string, isSpent?: (present: string | undefined) => boolean): Promise<void>
}

const PAGE = 5_000

/** Reads everything that is stored, and creates the default database in an empty store. */
export async function openCatalog(options: CatalogOptions): Promise<Catalog> {
  if (options.pchannels.length === 0) throw new RangeError('expected `pchannels` to name at least one channel, got none')
  const catalog = new KVCatalog(options)
  await catalog.open()
  return catalog
}

class KVCatalog extends CatalogState implements Catalog {
  readonly #options: CatalogOptions
  readonly #root: string
  readonly #context: CatalogContext
  readonly #listeners = new Set<(change: MetaChange) => void>()
  #tail: Promise<void> = Promise.resolve()
  /** Keys whose stored value is unknown after a failed write: read again before anything else is decided. */
  #doubtful: readonly CatalogRecord[] = []

  constructor(options: CatalogOptions) {
    super()
    this.#options = options
    this.#root = options.rootPath ?? 'meta/'
    this.#context = {
      state: this,
      limits: { ...defaultCatalogLimits, ...options.limits },
      pchannels: options.pchannels,
      nextId: () => options.ids.allocOne(),
      nextTs: () => options.timestamps.allocOne(),
      change: (plan) => this.#change(plan),
    }
  }

  async open(): Promise<void> {
    let startAfter: string | undefined
    for (let more = true; more;) {
      const page = await this.#options.kv.loadWithPrefix(this.#root, { limit: PAGE, startAfter })
      page.keys.forEach((key, i) => {
        const record = parseRecord(key.slice(this.#root.length), page.values[i])
        if (record !== undefined) this.apply(record)
      })
      startAfter = page.keys.at(-1)
      more = page.more
    }
    if (this.findDatabase(DEFAULT_DATABASE) === undefined) await this.createDatabase(DEFAULT_DATABASE, {})
  }

  onChange(listener: (change: MetaChange) => void): () => void {
    const entry = (change: MetaChange): void => listener(change)
    this.#listeners.add(entry)
    return () => this.#listeners.delete(entry)
  }

  settled(): Promise<void> {
    return this.#tail
  }

  #change(plan: Parameters<CatalogContext['change']>[0]): Promise<void> {
    const done = this.#tail.then(async () => {
      await this.#resync()
      const records = await plan()
      if (records.length > 0) await this.#write(records)
    })
    this.#tail = done.then(
      () => undefined,
      () => undefined,
    )
    return done
  }

  async #write(records: readonly CatalogRecord[]): Promise<void> {
    const saves = new Map<string, string>()
    const removals: string[] = []
    for (const record of records) {
      const text = recordText(record)
      if (text === undefined) removals.push(this.#root + recordKey(record))
      else saves.set(this.#root + recordKey(record), text)
    }
    try {
      await this.#options.kv.multiSaveAndRemove(saves, removals)
    } catch (error) {
      this.#doubtful = records
      throw error
    }
    this.#applyAll(records)
  }

  /** All records are in the mirror before the first listener hears of any. */
  #applyAll(records: readonly CatalogRecord[]): void {
    const changes = records.map((record) => this.apply(record)).filter((change) => change !== undefined)
    const failures: unknown[] = []
    const listeners = Array.from(this.#listeners)
    for (const change of changes) {
      for (const listener of listeners) {
        try {
          listener(change)
        } catch (error) {
          failures.push(error)
        }
      }
    }
    if (failures.length > 0) throw new AggregateError(failures, 'listeners of the catalog failed; the change itself is stored')
  }

  async #resync(): Promise<void> {
    const records = this.#doubtful
    if (records.length === 0) return
    const keys = records.map(recordKey)
    const texts = await this.#options.kv.multiLoad(keys.map((key) => this.#root + key))
    this.#doubtful = []
    this.#applyAll(keys.map((key, i) => parseRecord(key, texts[i])).filter((record) => record !== undefined))
  }

  createDatabase(name: string, properties: Params): Promise<void> {
    return databases.createDatabase(this.#context, name, properties)
  }
  dropDatabase(name: string): Promise<void> {
    return databases.dropDatabase(this.#context, name)
  }
  alterDatabase(name: string, set: Params, remove: readonly string[]): Promise<void> {
    return databases.alterDatabase(this.#context, name, set, remove)
  }
  createAlias(dbName: string, alias: string, collection: string): Promise<void> {
    return databases.createAlias(this.#context, dbName, alias, collection)
  }
  alterAlias(dbName: string, alias: string, collection: string): Promise<void> {
    return databases.alterAlias(this.#context, dbName, alias, collection)
  }
  dropAlias(dbName: string, alias: string): Promise<void> {
    return databases.dropAlias(this.#context, dbName, alias)
  }

  createCollection(request: CreateCollectionRequest): ReturnType<CatalogWriter['createCollection']> {
    return collections.createCollection(this.#context, request)
  }
  dropCollection(dbName: string, name: string): Promise<void> {
    return collections.dropCollection(this.#context, dbName, name)
  }
  renameCollection(dbName: string, name: string, newDbName: string, newName: string): Promise<void> {
    return collections.renameCollection(this.#context, dbName, name, newDbName, newName)
  }
  alterCollection(dbName: string, name: string, set: Params, remove: readonly string[]): Promise<void> {
    return collections.alterCollection(this.#context, dbName, name, set, remove)
  }
  truncateCollection(dbName: string, name: string, atTs: bigint): Promise<void> {
    return collections.truncateCollection(this.#context, dbName, name, atTs)
  }
  alterField(dbName: string, name: string, fieldName: string, set: Params, remove: readonly string[]): Promise<void> {
    return fields.alterField(this.#context, dbName, name, fieldName, set, remove)
  }
  addField(dbName: string, name: string, field: FieldSchema): Promise<void> {
    return fields.addFields(this.#context, dbName, name, [field])
  }
  addFields(dbName: string, name: string, added: readonly FieldSchema[], functions?: FunctionPlan): Promise<void> {
    return fields.addFields(this.#context, dbName, name, added, functions)
  }
  addStruct(dbName: string, name: string, struct: StructMeta, added: readonly FieldSchema[]): Promise<void> {
    return fields.addFields(this.#context, dbName, name, added, undefined, struct)
  }
  changeFunctions(dbName: string, name: string, plan: FunctionPlan): Promise<void> {
    return changeFunctions(this.#context, dbName, name, plan)
  }

  createPartition(dbName: string, name: string, partition: string): Promise<void> {
    return partitions.createPartition(this.#context, dbName, name, partition)
  }
  dropPartition(dbName: string, name: string, partition: string): Promise<void> {
    return partitions.dropPartition(this.#context, dbName, name, partition)
  }
  loadCollection(dbName: string, name: string, replicaNumber: number, resourceGroups?: readonly string[]): Promise<void> {
    return partitions.loadCollection(this.#context, dbName, name, replicaNumber, resourceGroups)
  }
  loadPartitions(dbName: string, name: string, names: readonly string[], replicaNumber: number, resourceGroups?: readonly string[]): Promise<void> {
    return partitions.loadPartitions(this.#context, dbName, name, names, replicaNumber, resourceGroups)
  }
  releaseCollection(dbName: string, name: string): Promise<void> {
    return partitions.releaseCollection(this.#context, dbName, name)
  }
  releasePartitions(dbName: string, name: string, names: readonly string[]): Promise<void> {
    return partitions.releasePartitions(this.#context, dbName, name, names)
  }

  createIndex(dbName: string, name: string, fieldName: string, indexName: string, params: Params): Promise<void> {
    return indexes.createIndex(this.#context, dbName, name, fieldName, indexName, params)
  }
  alterIndex(dbName: string, name: string, indexName: string, set: Params, remove: readonly string[]): Promise<void> {
    return indexes.alterIndex(this.#context, dbName, name, indexName, set, remove)
  }
  dropIndex(dbName: string, name: string, fieldOrIndexName: string): Promise<void> {
    return indexes.dropIndex(this.#context, dbName, name, fieldOrIndexName)
  }

  saveFlush(flush: Parameters<SegmentWriter['saveFlush']>[0]): Promise<void> {
    return segments.saveFlush(this.#context, flush)
  }
  saveSegmentIndex(segmentId: bigint, index: SegmentIndexMeta): Promise<void> {
    return segments.saveSegmentIndex(this.#context, segmentId, index)
  }
  replaceSegments(remove: readonly bigint[], add: readonly SegmentMeta[]): Promise<void> {
    return segments.replaceSegments(this.#context, remove, add)
  }
  addImport(...args: Parameters<imports.ImportWriter['addImport']>): Promise<void> {
    return imports.addImport(this.#context, ...args)
  }
  saveImport(...args: Parameters<imports.ImportWriter['saveImport']>): Promise<void> {
    return imports.saveImport(this.#context, ...args)
  }
  commitImport(id: bigint): ReturnType<imports.ImportWriter['commitImport']> {
    return imports.commitImport(this.#context, id)
  }
  removeImport(id: bigint): Promise<void> {
    return imports.removeImport(this.#context, id)
  }
  saveCheckpoint(pchannel: string, position: string, isSpent: (present: string | undefined) => boolean = () => false): Promise<void> {
    return this.#change(() => (isSpent(this.checkpoint(pchannel)) ? [] : [{ kind: 'checkpoint', pchannel, value: position }]))
  }
}
