/** Small metadata by kind and name: a mirror in memory over a KVBase, changed one transaction at a time. */
import type { KVBase } from '@timetick/kv'
import { decodeMeta, encodeMeta } from '../model/meta.ts'

/** A value to keep, or undefined to remove it. */
export type RecordChange<Kinds> = {
  [Kind in keyof Kinds & string]: { readonly kind: Kind; readonly name: string; readonly value: Kinds[Kind] | undefined }
}[keyof Kinds & string]

export interface RecordStore<Kinds> {
  get<Kind extends keyof Kinds & string>(kind: Kind, name: string): Kinds[Kind] | undefined
  /** By name. */
  all<Kind extends keyof Kinds & string>(kind: Kind): readonly Kinds[Kind][]
  /**
   * Runs `plan` alone, writes what it gives in one transaction, and then shows it to readers. A later change of the same
   * record in a plan wins; an empty plan writes nothing.
   */
  change(plan: () => readonly RecordChange<Kinds>[]): Promise<void>
  /** Counts changes of what is shown: what was computed from an older state is stale. */
  readonly version: number
  /** Resolves when no change is under way. */
  settled(): Promise<void>
  close(): Promise<void>
}

/** How a store of records is opened: of this process alone, or shared with others. */
export type OpenRecords = <Kinds>(options: Pick<RecordStoreOptions<Kinds>, 'rootPath' | 'kinds'>) => Promise<RecordStore<Kinds>>

export interface RecordStoreOptions<Kinds> {
  readonly kv: Pick<KVBase, 'loadWithPrefix' | 'multiLoad' | 'multiSaveAndRemove'>
  /** Keys are `<rootPath><kind>/<name>`; names hold no `/`. */
  readonly rootPath: string
  readonly kinds: readonly (keyof Kinds & string)[]
}

const PAGE = 5_000

export async function openRecordStore<Kinds>(options: RecordStoreOptions<Kinds>): Promise<RecordStore<Kinds>> {
  const store = new KVRecordStore(options)
  await store.open()
  return store
}

/** Stored texts, decoded, by kind and name. Kinds that this version does not know are left alone. */
export class RecordMirror<Kinds> implements Pick<RecordStore<Kinds>, 'get' | 'all' | 'version'> {
  readonly #values = new Map<string, Map<string, unknown>>()
  #version = 0

  constructor(kinds: readonly (keyof Kinds & string)[]) {
    for (const kind of kinds) this.#values.set(kind, new Map())
  }

  get version(): number {
    return this.#version
  }

  get<Kind extends keyof Kinds & string>(kind: Kind, name: string): Kinds[Kind] | undefined {
    return this.#values.get(kind)?.get(name) as Kinds[Kind] | undefined
  }

  all<Kind extends keyof Kinds & string>(kind: Kind): readonly Kinds[Kind][] {
    const entries = [...(this.#values.get(kind) ?? [])].sort(([a], [b]) => (a < b ? -1 : 1))
    return entries.map(([, value]) => value as Kinds[Kind])
  }

  /** @param entries of keys `<kind>/<name>`; undefined for one that is not there any more */
  show(entries: Iterable<readonly [key: string, text: string | undefined]>): void {
    for (const [key, text] of entries) {
      const slash = key.indexOf('/')
      if (slash < 0) continue
      const values = this.#values.get(key.slice(0, slash))
      if (text === undefined) values?.delete(key.slice(slash + 1))
      else values?.set(key.slice(slash + 1), decodeMeta(text))
    }
    this.#version++
  }
}

/** By key, as it is stored; undefined for what is removed. */
export function textsOf<Kinds>(changes: readonly RecordChange<Kinds>[]): Map<string, string | undefined> {
  return new Map(changes.map(({ kind, name, value }) => [`${kind}/${name}`, value === undefined ? undefined : encodeMeta(value)]))
}

class KVRecordStore<Kinds> implements RecordStore<Kinds> {
  readonly #options: RecordStoreOptions<Kinds>
  readonly #records: RecordMirror<Kinds>
  #tail: Promise<void> = Promise.resolve()
  /** Keys whose stored value is unknown after a failed write: read again before anything else is decided. */
  #doubtful: readonly string[] = []

  constructor(options: RecordStoreOptions<Kinds>) {
    this.#options = options
    this.#records = new RecordMirror(options.kinds)
  }

  get version(): number {
    return this.#records.version
  }

  async open(): Promise<void> {
    const { kv, rootPath } = this.#options
    let startAfter: string | undefined
    for (let more = true; more;) {
      const page = await kv.loadWithPrefix(rootPath, { limit: PAGE, startAfter })
      this.#records.show(page.keys.map((key, i) => [key.slice(rootPath.length), page.values[i]]))
      startAfter = page.keys.at(-1)
      more = page.more
    }
  }

  get: RecordStore<Kinds>['get'] = (kind, name) => this.#records.get(kind, name)
  all: RecordStore<Kinds>['all'] = (kind) => this.#records.all(kind)

  change(plan: () => readonly RecordChange<Kinds>[]): Promise<void> {
    const done = this.#tail.then(async () => {
      await this.#resync()
      await this.#write(textsOf(plan()))
    })
    this.#tail = done.catch(() => {})
    return done
  }

  settled(): Promise<void> {
    return this.#tail
  }

  close(): Promise<void> {
    return this.#tail
  }

  async #write(texts: ReadonlyMap<string, string | undefined>): Promise<void> {
    if (texts.size === 0) return
    const { kv, rootPath } = this.#options
    const saves = new Map<string, string>()
    const removals: string[] = []
    for (const [key, text] of texts) {
      if (text === undefined) removals.push(rootPath + key)
      else saves.set(rootPath + key, text)
    }
    try {
      await kv.multiSaveAndRemove(saves, removals)
    } catch (error) {
      this.#doubtful = [...texts.keys()]
      throw error
    }
    this.#records.show(texts)
  }

  async #resync(): Promise<void> {
    const keys = this.#doubtful
    if (keys.length === 0) return
    const texts = await this.#options.kv.multiLoad(keys.map((key) => this.#options.rootPath + key))
    this.#doubtful = []
    this.#records.show(keys.map((key, i) => [key, texts[i]]))
  }
}
