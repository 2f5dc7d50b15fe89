/** The replicas of all loaded collections: a mirror over a KVBase. A write holds only on top of what was read, so that two who lead cannot both decide. */
import type { KVBase, KVCondition } from '@timetick/kv'
import type { ReplicaRecord, TargetReader } from '../model/target.ts'
import { MilvusError } from '../server/status.ts'
import { decodeReplica, encodeReplica } from './target-records.ts'

export interface TargetStoreOptions {
  readonly kv: Pick<KVBase, 'loadWithPrefix' | 'multiSaveAndRemove'>
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

interface Stored {
  readonly record: ReplicaRecord
  readonly modRevision: bigint
}

const PAGE = 1_000
/** Of one transaction: what etcd takes. */
const MAX_CHANGES = 32

export async function openTargetStore(options: TargetStoreOptions): Promise<TargetStore> {
  const store = new TargetStore(options)
  await store.reload()
  return store
}

export class TargetStore implements TargetReader {
  readonly #options: TargetStoreOptions
  readonly #root: string
  readonly #stored = new Map<bigint, Map<bigint, Stored>>()
  readonly #listeners = new Set<(collectionId: bigint) => void>()
  /** A write failed: what is stored is read again before anything else is decided. */
  #isDoubtful = false

  constructor(options: TargetStoreOptions) {
    this.#options = options
    this.#root = options.rootPath ?? 'query-replicas/'
  }

  replicas(collectionId: bigint): readonly ReplicaRecord[] {
    return [...(this.#stored.get(collectionId)?.values() ?? [])].map(({ record }) => record).sort((a, b) => (a.replicaId < b.replicaId ? -1 : 1))
  }

  /** Collections that have any. */
  collectionIds(): readonly bigint[] {
    return [...this.#stored.keys()]
  }

  onChange(listener: (collectionId: bigint) => void): () => void {
    const entry = (collectionId: bigint): void => listener(collectionId)
    this.#listeners.add(entry)
    return () => this.#listeners.delete(entry)
  }

  /** Reads everything anew. */
  async reload(): Promise<void> {
    const { kv } = this.#options
    const found = new Map<bigint, Map<bigint, Stored>>()
    let startAfter: string | undefined
    for (let more = true; more; ) {
      const page = await kv.loadWithPrefix(this.#root, { limit: PAGE, startAfter })
      page.keys.forEach((key, i) => {
        const [collectionId = 0n, replicaId = 0n] = key.slice(this.#root.length).split('/').map(BigInt)
        const replicas = found.get(collectionId) ?? new Map<bigint, Stored>()
        replicas.set(replicaId, { record: decodeReplica(collectionId, replicaId, page.values[i] as string), modRevision: page.modRevisions[i] as bigint })
        found.set(collectionId, replicas)
      })
      startAfter = page.keys.at(-1)
      more = page.more
    }
    const touched = new Set([...this.#stored.keys(), ...found.keys()])
    this.#stored.clear()
    for (const [id, replicas] of found) this.#stored.set(id, replicas)
    this.#isDoubtful = false
    for (const id of touched) this.#tell(id)
  }

  /** Those of one transaction hold together or not at all. Rejects, and reads anew with the next save, where somebody else has written. */
  async save(changes: readonly ReplicaChange[]): Promise<void> {
    if (this.#isDoubtful) {
      await this.reload()
      throw new MilvusError(1, 'replicas were read anew: decide again')
    }
    for (let at = 0; at < changes.length; at += MAX_CHANGES) await this.#saveSome(changes.slice(at, at + MAX_CHANGES))
  }

  async #saveSome(changes: readonly ReplicaChange[]): Promise<void> {
    const saves = new Map<string, string>()
    const removals: string[] = []
    const when: KVCondition[] = [...(this.#options.conditions?.() ?? [])]
    for (const { collectionId, replicaId, after } of changes) {
      const key = `${this.#root}${collectionId}/${replicaId}`
      when.push({ key, modRevision: this.#stored.get(collectionId)?.get(replicaId)?.modRevision ?? 0n })
      if (after === undefined) removals.push(key)
      else saves.set(key, encodeReplica(after))
    }
    this.#isDoubtful = true
    const { applied, revision } = await this.#options.kv.multiSaveAndRemove(saves, removals, { when })
    if (!applied) throw new MilvusError(1, 'replicas were changed by another coordinator')
    this.#isDoubtful = false
    for (const { collectionId, replicaId, after } of changes) this.#set(collectionId, replicaId, after === undefined ? undefined : { record: after, modRevision: revision })
    for (const id of new Set(changes.map(({ collectionId }) => collectionId))) this.#tell(id)
  }

  #set(collectionId: bigint, replicaId: bigint, stored: Stored | undefined): void {
    const replicas = this.#stored.get(collectionId) ?? new Map<bigint, Stored>()
    if (stored === undefined) replicas.delete(replicaId)
    else replicas.set(replicaId, stored)
    if (replicas.size === 0) this.#stored.delete(collectionId)
    else this.#stored.set(collectionId, replicas)
  }

  #tell(collectionId: bigint): void {
    for (const listener of Array.from(this.#listeners)) listener(collectionId)
  }
}
