/** The rows of one kind, with their names laid out for search. */
import { NameIndex } from './name-index.ts'
import type { Entity } from './model.ts'

export class RowTable {
  readonly #rows = new Map<string, Entity>()
  readonly #names = new NameIndex()

  get size(): number {
    return this.#rows.size
  }

  get(key: string): Entity | undefined {
    return this.#rows.get(key)
  }

  keys(): Iterable<string> {
    return this.#rows.keys()
  }

  values(): Iterable<Entity> {
    return this.#rows.values()
  }

  set(entity: Entity): void {
    const before = this.#rows.get(entity.key)
    this.#rows.set(entity.key, entity)
    const text = searchText(entity)
    if (before === undefined || searchText(before) !== text) this.#names.set(entity.key, text)
  }

  delete(key: string): void {
    if (this.#rows.delete(key)) this.#names.delete(key)
  }

  touch(key: string, observedAt: number): void {
    const known = this.#rows.get(key)
    if (known !== undefined) this.#rows.set(key, { ...known, observedAt })
  }

  /** Entities whose name or id contains the text, whatever its case. */
  matching(text: string): Iterable<Entity> {
    return text === '' ? this.#rows.values() : this.#found(text)
  }

  *#found(text: string): Iterable<Entity> {
    for (const key of this.#names.find(text.toLowerCase())) {
      const entity = this.#rows.get(key)
      if (entity !== undefined) yield entity
    }
  }
}

/** What a search looks through: the name, and the id where there is one. */
function searchText({ row, key }: Entity): string {
  const { name, alias, id } = row
  const title = typeof name === 'string' ? name : typeof alias === 'string' ? alias : key
  return (typeof id === 'string' ? `${title}\t${id}` : title).toLowerCase()
}
