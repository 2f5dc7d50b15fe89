/** What is ours of the lmdb backend, on a simulated disk: commits take time, fail, and crashes come at any moment. */
import { createEngineKV } from '../../src/engine-kv.ts'
import { isKVError, type KVFeatures } from '../../src/index.ts'
import type { Bytes, Database, Row, Table } from '../../src/lmdb/driver.ts'
import { LmdbEngine } from '../../src/lmdb/engine.ts'
import { decodeRow } from '../../src/lmdb/format.ts'
import { Lives } from './lives.ts'
import type { SimulatedStore } from './scenario.ts'
import type { World } from './world.ts'

type Name = 'data' | 'log' | 'leases' | 'meta'
type Write = readonly [table: Name, key: string, value: Bytes | undefined]

/** Bugs on purpose: what a driver, or its use, can get wrong. */
export interface LmdbBugs {
  /** Told before it is synced. */
  readonly earlyAnswer?: boolean
  /** A crash keeps a part of a transaction. */
  readonly torn?: boolean
  /** A failed sync is taken for a good one. */
  readonly hidesFailure?: boolean
  readonly losesLog?: boolean
  readonly hidesCompaction?: boolean
  /** Reads see an older state now and then. */
  readonly staleReads?: boolean
}

const FEATURES: KVFeatures = Object.freeze({
  backend: 'lmdb', durability: 'power', sharing: 'readers', leases: true, leaseGranularityMs: 1, watch: true, watchAcrossRestarts: true,
  maxTransactionOps: Infinity, maxValueBytes: 1e6, maxKeyBytes: 1024, snapshotPaging: false,
})

const name = (key: string | Bytes): string => Buffer.from(key).toString('latin1')

/** Holds what is durable; everything else dies with a life. */
class Disk {
  readonly tables: Readonly<Record<Name, Map<string, Bytes>>> = { data: new Map(), log: new Map(), leases: new Map(), meta: new Map() }
  readonly #pending = new Set<readonly Write[]>()
  readonly #world: World
  readonly #bugs: LmdbBugs
  eio = 0
  #former = new Map<string, Bytes>()
  #life = 0

  constructor(world: World, bugs: LmdbBugs) {
    this.#world = world
    this.#bugs = bugs
  }

  open(): Database {
    const life = this.#life
    let batch: Write[] | undefined
    const table = <K extends string | Bytes, V>(of: Name, readKey: (key: string) => K, readValue: (bytes: Bytes) => V): Table<K, V> => {
      const rows = this.tables[of]
      const write = (key: K, value: Bytes | undefined): void => {
        if (batch === undefined) throw new Error('written outside of a commit')
        batch.push([of, name(key), value === undefined ? undefined : Uint8Array.from(value)])
      }
      const find = (key: K): Bytes | undefined => {
        const stale = this.#bugs.staleReads === true && of === 'data' && this.#world.chance(0.05) ? this.#former.get(name(key)) : undefined
        const bytes = stale ?? rows.get(name(key))
        return bytes === undefined ? undefined : Buffer.from(bytes)
      }
      const keys = (start: K, isReverse = false): string[] => {
        const all = [...rows.keys()].sort((a, b) => (a < b ? -1 : 1))
        return isReverse ? all.filter((key) => key <= name(start)).reverse() : all.filter((key) => key >= name(start))
      }
      return {
        get: (key) => {
          const bytes = find(key)
          return bytes === undefined ? undefined : readValue(bytes)
        },
        getBinaryFast: find,
        put: (key, value) => write(key, value as Bytes),
        remove: (key) => write(key, undefined),
        getRange: ({ start, end, exclusiveStart = false, limit = Infinity, reverse = false }) => keys(start, reverse)
          .filter((key) => (end === undefined || key < name(end)) && !(exclusiveStart && key === name(start))).slice(0, limit).map((key) => ({ key: readKey(key), value: readValue(rows.get(key) ?? new Uint8Array()) })),
        getKeys: ({ start }) => keys(start).map(readKey),
      }
    }
    const bytesOf = (key: string): Bytes => Buffer.from(key, 'latin1')
    return {
      root: { resetReadTxn: () => undefined, readerCheck: () => 0, close: async () => undefined },
      data: table<string, Row>('data', (key) => bytesOf(key).toString(), decodeRow),
      log: table<Bytes, Bytes>('log', bytesOf, (bytes) => bytes),
      leases: table<Bytes, Bytes>('leases', bytesOf, (bytes) => bytes),
      meta: table<Bytes, Bytes>('meta', bytesOf, (bytes) => bytes),
      commit: (puts) => {
        batch = []
        puts()
        const writes = batch
        batch = undefined
        // The dead write no more.
        return life === this.#life ? this.#commit(writes) : new Promise(() => undefined)
      },
    }
  }

  #commit(writes: readonly Write[]): Promise<boolean> {
    const { earlyAnswer = false, hidesFailure = false } = this.#bugs
    this.#pending.add(writes)
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        if (!this.#pending.delete(writes)) return
        if (!this.#world.chance(this.eio)) {
          this.#apply(writes)
          resolve(true)
          return
        }
        this.#world.note('eio')
        if (hidesFailure) resolve(true)
        else reject(new Error('EIO'))
      }
      this.#world.after(this.#world.between(0.5, 10), settle)
      if (earlyAnswer) resolve(true)
    })
  }

  /** What was under way is there as a whole or not at all. */
  crash(): void {
    this.#life++
    for (const writes of this.#pending) {
      if (this.#bugs.torn === true) this.#apply(writes.filter(() => this.#world.chance(0.5)))
      else if (this.#world.chance(0.5)) {
        this.#world.note('applied by a crash')
        this.#apply(writes)
      }
    }
    this.#pending.clear()
  }

  #apply(writes: readonly Write[]): void {
    for (const [table, key, value] of writes) {
      if (this.#bugs.losesLog === true && table === 'log' && this.#world.chance(0.1)) continue
      const rows = this.tables[table]
      const former = rows.get(key)
      if (table === 'data' && former !== undefined) this.#former.set(key, former)
      if (value === undefined) rows.delete(key)
      else rows.set(key, this.#bugs.hidesCompaction === true && table === 'meta' ? withoutCompaction(value) : value)
    }
  }
}

function withoutCompaction(state: Bytes): Bytes {
  return Uint8Array.from(state).fill(0, 8, 16)
}

export function lmdbStore(world: World, bugs: LmdbBugs = {}): SimulatedStore {
  const disk = new Disk(world, bugs)
  const limits = { maxHistory: world.chance(0.5) ? 8 : 1000, maxHistoryBytes: 1e6, maxWatchLagBytes: world.chance(0.3) ? 300 : 1e6 }
  const crashMs = world.chance(0.7) ? world.between(30, 500) : Infinity
  disk.eio = world.chance(0.3) || bugs.hidesFailure === true ? 0.02 : 0
  const lives = new Lives(world, async (clock) => {
    const engine = new LmdbEngine({ ...limits, db: disk.open(), storeId: 'sim', clock, features: FEATURES, onClosed: async () => undefined })
    await engine.start()
    return createEngineKV(engine, '')
  })
  const crash = (): void => {
    disk.crash()
    lives.end()
  }
  // A store that failed for good is opened again, as its message says.
  lives.onError = (error) => {
    if (isKVError(error, 'KV_STORAGE_FAILED')) crash()
  }
  let isHealed = false
  const again = (): void => {
    if (isHealed) return
    world.note('crash')
    crash()
    world.after(crashMs * world.between(0.5, 1.5), again)
  }
  if (crashMs !== Infinity) world.after(crashMs, again)
  lives.start()
  return {
    kv: lives.kv,
    heal() {
      disk.eio = 0
      isHealed = true
    },
  }
}
