/**
 * The engine of a process that only reads what another one writes. Every call looks at the newest commit; watches look for
 * new commits in short steps and take them from the log that the writer keeps.
 */
import type { Clock } from '../clock.ts'
import type { Change, Engine, EnginePage, StoredEntry } from '../engine.ts'
import { KVError } from '../errors.ts'
import type { KVFeatures } from '../features.ts'
import type { Revision } from '../kv.ts'
import { compactedError, type WatchFeed, WatchHub, type WatchTarget } from '../watch-hub.ts'
import { DiskLog } from './log.ts'
import { type ReadDatabase, readEntry, readRange, readRevision } from './reads.ts'

export interface ReaderEngineOptions {
  readonly db: ReadDatabase
  readonly clock: Clock
  readonly features: KVFeatures
  readonly pollMs: number
  readonly maxWatchLagBytes: number
}

/** Changes taken from the log at a time. */
const PAGE = 1000

export class ReaderEngine implements Engine {
  readonly features: KVFeatures
  readonly #options: ReaderEngineOptions
  readonly #hub: WatchHub
  readonly #log: DiskLog
  #cancelPoll: (() => void) | undefined
  #closed = false

  constructor(options: ReaderEngineOptions) {
    this.#options = options
    this.features = options.features
    this.#log = new DiskLog(options.db)
    this.#hub = new WatchHub(this.#log, readRevision(options.db), options.maxWatchLagBytes)
  }

  get(key: string): StoredEntry | undefined {
    return readEntry(this.#fresh(), key)
  }

  getMany(keys: readonly string[]): (StoredEntry | undefined)[] {
    const db = this.#fresh()
    return keys.map((key) => readEntry(db, key))
  }

  range(prefix: string, startAfter: string | undefined, limit: number): EnginePage {
    return readRange(this.#fresh(), prefix, startAfter, limit)
  }

  write(): never {
    throw new KVError('KV_UNSUPPORTED', 'this store was opened for reading', { outcome: 'not-applied' })
  }

  /** "Now" is the writer's last commit. */
  watch(target: WatchTarget, from: Revision | undefined): WatchFeed {
    this.#catchUp()
    const feed = this.#hub.open(target, from)
    this.#arm()
    return feed
  }

  grantLease(): never {
    return this.write()
  }

  keepAlive(): never {
    return this.write()
  }

  revokeLease(): never {
    return this.write()
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#cancelPoll?.()
    this.#hub.endAll()
    await this.#options.db.root.close()
  }

  /** What was committed before this call is seen by it. */
  #fresh(): ReadDatabase {
    const { db } = this.#options
    db.root.resetReadTxn()
    return db
  }

  #arm(): void {
    if (this.#closed || this.#cancelPoll !== undefined || this.#hub.isIdle) return
    this.#cancelPoll = this.#options.clock.setTimer(() => {
      this.#cancelPoll = undefined
      this.#catchUp()
      this.#arm()
    }, this.#options.pollMs)
  }

  #catchUp(): void {
    try {
      this.#publish(readRevision(this.#fresh()))
    } catch (error) {
      this.#hub.endAll(() => error)
    }
  }

  /** Hands the watches what was committed up to `upTo`. */
  #publish(upTo: Revision): void {
    const hub = this.#hub
    if (upTo <= hub.revision) return
    if (!hub.isIdle) {
      const from = hub.revision + 1n
      const { compacted } = this.#log
      if (compacted >= from) hub.endAll((delivered) => compactedError(delivered + 1n, compacted))
      else for (let next: Revision | undefined = from; next !== undefined; ) next = this.#publishPage(next, upTo)
    }
    hub.publish([], upTo)
  }

  #publishPage(from: Revision, upTo: Revision): Revision | undefined {
    const { changes, next } = this.#log.read(from, upTo, PAGE)
    let part: Change[] = []
    for (const change of changes) {
      const last = part.at(-1)
      if (last !== undefined && last.revision !== change.revision) {
        this.#hub.publish(part, last.revision)
        part = []
      }
      part.push(change)
    }
    const last = part.at(-1)
    if (last !== undefined) this.#hub.publish(part, last.revision)
    return next
  }
}
