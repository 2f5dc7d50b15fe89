/** Removes files that the metadata no longer names: at start, and when segments, indexes or collections go. */
import { segmentFolder } from '../datanode/stamped-rows.ts'
import type { ObjectStorage } from '../storage/index.ts'
import type { MetaReader } from './api.ts'

export interface GarbageCollectorOptions {
  readonly meta: MetaReader
  readonly storage: ObjectStorage
  /** Segments that are written and not in the metadata yet, as of imports. */
  readonly pending?: (() => ReadonlySet<bigint>) | undefined
  readonly onWarning: (message: string, error: unknown) => void
}

export class GarbageCollector {
  readonly #options: GarbageCollectorOptions
  readonly #unsubscribe: () => void
  readonly #work = new Set<Promise<void>>()
  /** Folders that somebody reads, by how many. */
  readonly #held = new Map<string, number>()
  /** Of those, what is to go when they are free. */
  readonly #late = new Map<string, (folder: string) => Promise<void>>()

  constructor(options: GarbageCollectorOptions) {
    this.#options = options
    const { storage } = options
    this.#unsubscribe = options.meta.onChange((change) => {
      if (change.kind === 'segment' && change.after === undefined && change.before !== undefined) {
        this.#remove(segmentFolder(change.before.collectionId, change.before.id), (folder) => storage.deletePrefix(`${folder}/`))
      } else if (change.kind === 'segment' && change.before !== undefined) {
        const kept = new Set(change.after?.indexes.map(({ path }) => path))
        for (const { path } of change.before.indexes) if (path !== '' && !kept.has(path)) this.#remove(path, (key) => storage.delete(key))
      }
    })
  }

  /** Before any writer starts: what a crash left behind. */
  async sweep(): Promise<void> {
    const { meta, storage } = this.#options
    const files = await storage.list('segments/')
    const pending = this.#options.pending?.()
    for (const { key } of files) {
      const [, , segment] = key.split('/')
      if (segment !== undefined && /^\d+$/.test(segment) && meta.segment(BigInt(segment)) === undefined && pending?.has(BigInt(segment)) !== true) await storage.delete(key)
    }
  }

  /** Files below the folder stay until the result is called. */
  hold(folder: string): () => void {
    this.#held.set(folder, (this.#held.get(folder) ?? 0) + 1)
    return () => {
      const others = (this.#held.get(folder) ?? 1) - 1
      if (others > 0) return void this.#held.set(folder, others)
      this.#held.delete(folder)
      const remove = this.#late.get(folder)
      this.#late.delete(folder)
      if (remove !== undefined) this.#remove(folder, remove)
    }
  }

  async close(): Promise<void> {
    this.#unsubscribe()
    await Promise.all(this.#work)
  }

  #remove(what: string, remove: (what: string) => Promise<void>): void {
    if (this.#held.has(what)) return void this.#late.set(what, remove)
    const work = remove(what).catch((error: unknown) => {
      this.#options.onWarning(`removing ${what} failed; the next start tries again`, error)
    })
    this.#work.add(work)
    void work.finally(() => this.#work.delete(work))
  }
}
