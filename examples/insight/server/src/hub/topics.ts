/** Which events and rows a subscription is about. */
import type { Principal } from '../access.ts'
import { typesOf } from '../core/catalogue.ts'
import type { Layer } from '../core/layer.ts'
import { KINDS, type InsightEvent, type Kind, type Row } from '../core/model.ts'
import type { Filter } from './protocol.ts'

export class Interest {
  /** Equal for subscriptions that want the very same. */
  readonly signature: string
  readonly kinds: readonly Kind[]
  readonly #topics: ReadonlySet<string>
  readonly #filter: Filter
  readonly #principal: Principal

  constructor(topics: readonly string[], filter: Filter | undefined, principal: Principal) {
    this.#topics = new Set(topics.map((topic) => topic.replace(/\.\*$/, '')))
    this.#filter = filter ?? {}
    this.#principal = principal
    this.kinds = KINDS.filter((kind) => typesOf(kind).some((type) => this.#isTopic(kind, type)))
    this.signature = JSON.stringify([[...this.#topics].sort(), this.#filter.db, this.#filter.collId, principal.name])
  }

  /** The history of a layer as it is told to this reader: with other rights it is another one, and cannot be continued. */
  epochOf({ epoch }: Pick<Layer, 'epoch'>): string {
    const rights = this.#principal.rights?.()
    return rights === undefined ? epoch : `${epoch}~${rights}`
  }

  wants(event: InsightEvent): boolean {
    if (!this.#isTopic(event.kind, event.type)) return false
    if (event.kind === 'source' || event.kind === 'cache') return true
    return this.#isInside(event.kind, event.key) && this.#principal.sees(event.kind, event.key, undefined)
  }

  shows(kind: Kind, key: string, row: Row): boolean {
    return this.#isInside(kind, key) && this.#principal.sees(kind, key, row)
  }

  /** Who names a kind gets all that happens to its rows, by whatever name: else they would not stay right. */
  #isTopic(kind: string, type: string): boolean {
    return this.#topics.has('*') || this.#topics.has(kind) || this.#topics.has(type) || this.#topics.has(type.split('.', 1)[0] ?? '')
  }

  /** Keys of what is in a database are `db` or begin with `db/`; the collection's id is their second part. */
  #isInside(kind: Kind, key: string): boolean {
    const { db, collId } = this.#filter
    if (db === undefined && collId === undefined) return true
    const [keyDb, keyColl] = key.split('/', 2)
    if (db !== undefined && keyDb !== db) return false
    return collId === undefined || kind === 'database' || keyColl === collId
  }
}
