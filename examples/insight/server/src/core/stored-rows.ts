/**
 * Rows of a layer on a KVBase. Rows that change lie far apart in a tree of pages, and each page that one of them is on is written
 * whole: a thousand of a hundred thousand cost nearly a thousand pages, whatever writes them. So what changed is put together into
 * few notes first, and into its places when there are many of them: once for all changes that a row had meanwhile.
 */
import type { KVBase } from '@timetick/kv'
import type { Layer } from './layer.ts'
import { isKind, type Entity } from './model.ts'

/** Rows of one transaction and of one page read. */
const PAGE = 1000
/** Rows in notes, and notes, before all are put into their places. */
const MAX_NOTED = 10_000
const MAX_NOTES = 64
/** Characters of one note: every store takes such a value. */
const NOTE_LENGTH = 200_000

interface Noted {
  readonly id: string
  readonly entity: Entity | null
}

export class StoredRows {
  readonly #kv: KVBase
  readonly #prefix: string
  /** `kind\nkey` of what is in notes. */
  readonly #noted = new Set<string>()
  #notes = 0

  constructor(kv: KVBase, prefix: string) {
    this.#kv = kv
    this.#prefix = prefix
  }

  /** As they were saved last: the notes over the places. */
  async load(): Promise<Entity[]> {
    this.#forget()
    const rows = new Map<string, Entity>()
    for await (const { value } of this.entries('row/')) {
      const entity = readEntity(parse(value))
      if (entity !== undefined) rows.set(idOf(entity), entity)
    }
    for await (const { key, value } of this.entries('note/')) {
      this.#notes = Number(key.slice(-8)) + 1
      for (const { id, entity } of readNote(value)) {
        this.#noted.add(id)
        if (entity === null) rows.delete(id)
        else rows.set(id, entity)
      }
    }
    return [...rows.values()]
  }

  /** Saves rows as they are now, and `more` with the last of them. */
  async save(layer: Layer, ids: readonly string[], more: ReadonlyMap<string, string>): Promise<void> {
    const notes = ids.length > MAX_NOTED ? [] : notesOf(layer, ids)
    const isFull = ids.length > MAX_NOTED || this.#noted.size + ids.length > MAX_NOTED || this.#notes + notes.length > MAX_NOTES
    return isFull ? this.#place(layer, new Set([...this.#noted, ...ids]), more) : this.#note(ids, notes, more)
  }

  /** All there is of the layer. */
  async remove(): Promise<void> {
    await this.#kv.removeWithPrefix(this.#prefix)
    this.#forget()
  }

  async *entries(part: string): AsyncGenerator<{ readonly key: string; readonly value: string }> {
    let startAfter: string | undefined
    for (;;) {
      const page = await this.#kv.loadWithPrefix(`${this.#prefix}${part}`, { limit: PAGE, startAfter })
      for (const [i, key] of page.keys.entries()) yield { key, value: page.values[i] ?? '' }
      if (!page.more) return
      startAfter = page.keys.at(-1)
    }
  }

  async #note(ids: readonly string[], notes: readonly string[], more: ReadonlyMap<string, string>): Promise<void> {
    // Counted before they are there: of a write that failed nobody knows whether it was applied, so its numbers are not used again.
    const first = this.#notes
    this.#notes += notes.length
    for (const id of ids) this.#noted.add(id)
    await this.#kv.multiSaveAndRemove(new Map([...notes.map((note, i): [string, string] => [this.#noteKey(first + i), note]), ...more]), [])
  }

  /** Should this end half way, the notes hold the rows as they were saved before. */
  async #place(layer: Layer, ids: ReadonlySet<string>, more: ReadonlyMap<string, string>): Promise<void> {
    const all = [...ids]
    const size = Math.max(1, Math.min(PAGE, this.#kv.features.maxTransactionOps))
    for (let first = 0; first < all.length; first += size) await this.#placePage(layer, all.slice(first, first + size))
    await this.#kv.multiSaveAndRemove(more, Array.from({ length: this.#notes }, (_, i) => this.#noteKey(i)))
    this.#forget()
  }

  async #placePage(layer: Layer, ids: readonly string[]): Promise<void> {
    const saves = new Map<string, string>()
    const removals: string[] = []
    for (const id of ids) {
      const entity = entityOf(layer, id)
      if (entity === undefined) removals.push(this.#placeOf(id))
      else saves.set(this.#placeOf(id), JSON.stringify(entity))
    }
    await this.#kv.multiSaveAndRemove(saves, removals)
  }

  #placeOf(id: string): string {
    const [kind, key] = partsOf(id)
    return `${this.#prefix}row/${kind}/${encodeURIComponent(key.replace(/\p{Surrogate}/gu, '\ufffd'))}`
  }

  #noteKey(number: number): string {
    return `${this.#prefix}note/${String(number).padStart(8, '0')}`
  }

  #forget(): void {
    this.#noted.clear()
    this.#notes = 0
  }
}

const idOf = ({ kind, key }: Entity): string => `${kind}\n${key}`

/** A kind has no line break; a key may have any number of them. */
function partsOf(id: string): readonly [kind: string, key: string] {
  const end = id.indexOf('\n')
  return [id.slice(0, end), id.slice(end + 1)]
}

function entityOf(layer: Layer, id: string): Entity | undefined {
  const [kind, key] = partsOf(id)
  return isKind(kind) ? layer.get(kind, key) : undefined
}

function notesOf(layer: Layer, ids: readonly string[]): string[] {
  const notes: string[] = []
  let parts: string[] = []
  let length = 0
  const end = (): void => {
    if (parts.length > 0) notes.push(`[${parts.join(',')}]`)
    parts = []
    length = 0
  }
  for (const id of ids) {
    const noted: Noted = { id, entity: entityOf(layer, id) ?? null }
    const text = JSON.stringify(noted)
    if (length + text.length > NOTE_LENGTH) end()
    parts.push(text)
    length += text.length
  }
  end()
  return notes
}

function readNote(text: string): Noted[] {
  const list = parse(text)
  if (!Array.isArray(list)) return []
  return list.flatMap((item: Partial<Noted> | null) => {
    if (typeof item?.id !== 'string') return []
    const entity = item.entity === null ? null : readEntity(item.entity)
    return entity === undefined ? [] : [{ id: item.id, entity }]
  })
}

/** A row that cannot be read is left out: the next observation brings it again. */
function readEntity(value: unknown): Entity | undefined {
  const entity = value as Partial<Entity> | null | undefined
  if (!isKind(entity?.kind) || typeof entity.key !== 'string' || typeof entity.row !== 'object') return undefined
  return { kind: entity.kind, key: entity.key, row: entity.row, rev: entity.rev ?? 0, observedAt: entity.observedAt ?? 0 }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
