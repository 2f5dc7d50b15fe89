/** The rows of one kind, each at a place of its own, with names laid out for search and members for sorting. */
import { Column } from './column.ts'
import type { Entity } from './model.ts'
import { NameIndex } from './name-index.ts'

/** Columns that are kept laid out; callers name them, so the one that was not used for the longest time goes. */
const MAX_COLUMNS = 12

export class RowTable {
  readonly #slots = new Map<string, number>()
  readonly #entities: (Entity | undefined)[] = []
  readonly #free: number[] = []
  readonly #names = new NameIndex()
  readonly #columns = new Map<string, Column>()
  /** Keys of what belongs to a collection, by `db/collectionId/`. */
  readonly #scopes = new Map<string, Set<string>>()

  get size(): number {
    return this.#slots.size
  }

  get(key: string): Entity | undefined {
    const slot = this.#slots.get(key)
    return slot === undefined ? undefined : this.#entities[slot]
  }

  keys(): Iterable<string> {
    return this.#slots.keys()
  }

  *values(): Iterable<Entity> {
    for (const slot of this.#slots.values()) yield this.#entities[slot] as Entity
  }

  /** Keys that begin with a text; those of one collection, `db/id/`, are found at once. */
  keysUnder(scope: string): Iterable<string> {
    if (scope === '') return this.#slots.keys()
    const parts = scopeOf(scope)
    return parts === scope ? (this.#scopes.get(scope) ?? []) : [...this.#slots.keys()].filter((key) => key.startsWith(scope))
  }

  set(entity: Entity): void {
    const { key } = entity
    const known = this.#slots.get(key)
    const slot = known ?? this.#free.pop() ?? this.#entities.length
    const before = known === undefined ? undefined : this.#entities[known]
    this.#entities[slot] = entity
    for (const column of this.#columns.values()) column.set(slot, entity.row)
    const text = searchText(entity)
    if (before === undefined || searchText(before) !== text) this.#names.set(slot, text)
    if (known !== undefined) return
    this.#slots.set(key, slot)
    const scope = scopeOf(key)
    if (scope === undefined) return
    const members = this.#scopes.get(scope)
    if (members === undefined) this.#scopes.set(scope, new Set([key]))
    else members.add(key)
  }

  delete(key: string): void {
    const slot = this.#slots.get(key)
    if (slot === undefined) return
    this.#slots.delete(key)
    this.#entities[slot] = undefined
    this.#free.push(slot)
    this.#names.delete(slot)
    for (const column of this.#columns.values()) column.set(slot, undefined)
    const scope = scopeOf(key)
    const members = scope === undefined ? undefined : this.#scopes.get(scope)
    members?.delete(key)
    if (scope !== undefined && members?.size === 0) this.#scopes.delete(scope)
  }

  touch(key: string, observedAt: number): void {
    const slot = this.#slots.get(key)
    const known = slot === undefined ? undefined : this.#entities[slot]
    if (slot !== undefined && known !== undefined) this.#entities[slot] = { ...known, observedAt }
  }

  /** By place; places in between may be free. */
  get entities(): readonly (Entity | undefined)[] {
    return this.#entities
  }

  /** A member by path, `stats.rows`, of all rows. */
  column(path: string): Column {
    const column = this.#columns.get(path) ?? new Column(path, this.#entities)
    this.#columns.delete(path)
    this.#columns.set(path, column)
    const [oldest] = this.#columns.keys()
    if (this.#columns.size > MAX_COLUMNS && oldest !== undefined) this.#columns.delete(oldest)
    return column
  }

  /** Visits the places of the entities whose name or id contains the text, whatever its case; of all, for an empty one. */
  visit(text: string, visit: (slot: number) => void): void {
    if (text !== '') return this.#names.find(text.toLowerCase(), visit)
    const entities = this.#entities
    for (let slot = 0; slot < entities.length; slot++) if (entities[slot] !== undefined) visit(slot)
  }
}

/** `db/id/` of `db/id/part`. */
function scopeOf(key: string): string | undefined {
  const first = key.indexOf('/')
  const second = first === -1 ? -1 : key.indexOf('/', first + 1)
  return second === -1 ? undefined : key.slice(0, second + 1)
}

/** What a search looks through: the name, and the id where there is one. */
function searchText({ row, key }: Entity): string {
  const { name, alias, id } = row
  const title = typeof name === 'string' ? name : typeof alias === 'string' ? alias : key
  return (typeof id === 'string' ? `${title}\t${id}` : title).toLowerCase()
}
