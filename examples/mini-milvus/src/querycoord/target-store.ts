/**
 * The replicas of all loaded collections: a mirror over a KVBase, for the one who decides about them. Its writes form one chain: each holds
 * only directly behind the one before, so that two who lead cannot both decide, and one whose answer was lost cannot come late.
 */
import type { KVBase, KVCondition } from '@timetick/kv'
import type { ReplicaRecord, TargetReader } from '../model/target.ts'
import { MilvusError } from '../server/status.ts'
import { ReplicaTexts } from './replica-texts.ts'
import { encodeReplica } from './target-records.ts'

export interface TargetStoreOptions {
  readonly kv: Pick<KVBase, 'loadEntry' | 'loadWithPrefix' | 'multiSaveAndRemove'>
  /** Default `query-replicas/`. */
  readonly rootPath?: string | undefined
  /** More conditions of each write: that this process leads. */
  readonly conditions?: (() => readonly KVCondition[]) | undefined
}

export interface ReplicaChange {
  readonly collectionId: bigint
  readonly replicaId: bigint
  /** Undefined: it goes. */
  readonly after: ReplicaRecord | undefined
}

export const TARGET_ROOT = 'query-replicas/'
/** Saved with every change: mirrors that have seen it have seen all. */
const REVISION = 'revision'
const PAGE = 1_000
/** Of one transaction: what etcd takes. */
const MAX_CHANGES = 32
const MAX_BYTES = 512 * 1024

interface Write {
  readonly key: string
  readonly value: string | undefined
  readonly record?: ReplicaRecord | undefined
}

export async function openTargetStore(options: TargetStoreOptions): Promise<TargetStore> {
  const store = new TargetStore(options)
  await store.reload()
  return store
}

export class TargetStore implements TargetReader {
  readonly #options: TargetStoreOptions
  readonly #root: string
  readonly #listeners = new Set<(collectionId: bigint) => void>()
  #texts = new ReplicaTexts()
  /** Where the chain of writes ends. */
  #lastRevision = 0n
  /** A write failed: what is stored is read again before anything else is decided. */
  #isDoubtful = false
  /** Chunks that somebody who died left behind. */
  #orphans: readonly string[] = []

  constructor(options: TargetStoreOptions) {
    this.#options = options
    this.#root = options.rootPath ?? TARGET_ROOT
  }

  replicas(collectionId: bigint): readonly ReplicaRecord[] {
    return this.#texts.replicas(collectionId)
  }

  /** Collections that have any. */
  collectionIds(): readonly bigint[] {
    return this.#texts.collectionIds()
  }

  /** Mirrors that have this revision show all that was saved here. */
  get revision(): bigint {
    return this.#lastRevision
  }

  onChange(listener: (collectionId: bigint) => void): () => void {
    const entry = (collectionId: bigint): void => listener(collectionId)
    this.#listeners.add(entry)
    return () => this.#listeners.delete(entry)
  }

  /** Reads everything anew. */
  async reload(): Promise<void> {
    const { kv } = this.#options
    const texts = new ReplicaTexts()
    this.#lastRevision = (await kv.loadEntry(this.#root + REVISION))?.modRevision ?? 0n
    let startAfter: string | undefined
    for (let more = true; more; ) {
      const page = await kv.loadWithPrefix(this.#root, { limit: PAGE, startAfter })
      page.keys.forEach((key, i) => texts.apply(key.slice(this.#root.length), page.values[i]))
      startAfter = page.keys.at(-1)
      more = page.more
    }
    texts.settle()
    const touched = new Set([...this.#texts.collectionIds(), ...texts.collectionIds()])
    this.#texts = texts
    this.#orphans = texts.orphans()
    this.#isDoubtful = false
    for (const id of touched) this.#tell(id)
  }

  /** Rejects, and reads anew with the next save, where somebody else has written. What was saved before that stays. */
  async save(changes: readonly ReplicaChange[]): Promise<void> {
    if (this.#isDoubtful) {
      await this.reload()
      throw new MilvusError(1, 'replicas were read anew: decide again')
    }
    for (let at = 0; at < changes.length; at += MAX_CHANGES) await this.#saveSome(changes.slice(at, at + MAX_CHANGES))
  }

  /** Chunks come before the records that name them, and go behind them. */
  async #saveSome(changes: readonly ReplicaChange[]): Promise<void> {
    const chunks: Write[] = []
    const heads: Write[] = []
    for (const { collectionId, replicaId, after } of changes) {
      const key = `${collectionId}/${replicaId}`
      const stored = after === undefined ? undefined : encodeReplica(after)
      const known = this.#texts.chunksOf(collectionId, replicaId)
      for (const [name, text] of stored?.chunks ?? []) if (!known.has(name)) chunks.push({ key: `${key}/${name}`, value: text })
      heads.push({ key, value: stored?.head, record: after })
    }
    for (const part of inParts(chunks)) await this.#write(part)
    for (const part of inParts(heads)) await this.#write(part)
    const orphans = new Set([...this.#orphans, ...this.#texts.orphans(heads.map(({ key }) => key))])
    for (const part of inParts([...orphans].map((key) => ({ key, value: undefined })))) await this.#write(part)
    this.#orphans = []
  }

  async #write(writes: readonly Write[]): Promise<void> {
    const revisionKey = this.#root + REVISION
    const saves = new Map([[revisionKey, '1']])
    const removals: string[] = []
    for (const { key, value } of writes) {
      if (value === undefined) removals.push(this.#root + key)
      else saves.set(this.#root + key, value)
    }
    const when = [...(this.#options.conditions?.() ?? []), { key: revisionKey, modRevision: this.#lastRevision }]
    this.#isDoubtful = true
    const { applied, revision } = await this.#options.kv.multiSaveAndRemove(saves, removals, { when })
    if (!applied) throw new MilvusError(1, 'replicas were changed by another coordinator')
    this.#isDoubtful = false
    this.#lastRevision = revision
    const changed = new Set<bigint>()
    for (const { key, value, record } of writes) {
      if (record === undefined || value === undefined) this.#texts.apply(key, value)
      else {
        this.#texts.adopt(key, value, record)
        changed.add(record.collectionId)
      }
    }
    for (const id of [...changed, ...this.#texts.settle()]) this.#tell(id)
  }

  #tell(collectionId: bigint): void {
    for (const listener of Array.from(this.#listeners)) listener(collectionId)
  }
}

function inParts(writes: readonly Write[]): Write[][] {
  const parts: Write[][] = []
  let bytes = 0
  for (const write of writes) {
    const size = write.key.length + (write.value?.length ?? 0)
    const part = parts.at(-1)
    if (part === undefined || part.length >= MAX_CHANGES || bytes + size > MAX_BYTES) {
      parts.push([write])
      bytes = size
    } else {
      part.push(write)
      bytes += size
    }
  }
  return parts
}
