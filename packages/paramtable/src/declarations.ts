/** All declared parameters, by their present names and their earlier ones. Never changed: a change is a new one. */
import { checkDeclaration } from './declaration.ts'
import type { Declared, ParamDeclaration } from './declaration.ts'

const NONE: readonly string[] = []

export class Declarations {
  readonly #byId: ReadonlyMap<string, Declared>
  /** Earlier names, to present ones. */
  readonly #present: ReadonlyMap<string, string>
  /** What a reader may write instead of the id: the spelling of the declaration, and earlier names. */
  readonly #spellings: ReadonlyMap<string, readonly string[]>

  constructor(declared: readonly Declared[] = []) {
    this.#byId = new Map(declared.map((one) => [one.id, one]))
    this.#present = new Map(declared.flatMap(({ id, oldIds }) => oldIds.map((old) => [old, id] as const)))
    this.#spellings = new Map(declared.flatMap(({ id, key, oldIds, deprecatedKeys = [] }) => {
      const spellings = new Set([key, ...oldIds, ...deprecatedKeys])
      spellings.delete(id)
      return spellings.size === 0 ? [] : [[id, [...spellings]] as const]
    }))
  }

  /** @throws {TypeError} when a name is taken, or a declaration contradicts itself. */
  with(declarations: readonly ParamDeclaration[]): Declarations {
    const all = [...this.#byId.values()]
    const names = new Set(all.flatMap(({ id, oldIds }) => [id, ...oldIds]))
    for (const declaration of declarations) {
      const one = checkDeclaration(declaration)
      for (const name of [one.id, ...one.oldIds]) {
        if (names.has(name)) throw new TypeError(`expected \`${name === one.id ? one.key : name}\` to be declared once`)
        names.add(name)
      }
      all.push(one)
    }
    return new Declarations(all)
  }

  get all(): readonly Declared[] {
    return [...this.#byId.values()]
  }

  /** The declaration of a parameter, by any of its names in lower case. */
  of(name: string): Declared | undefined {
    return this.#byId.get(this.idOf(name))
  }

  /** The present name, in lower case, of what may be an earlier one. */
  idOf(name: string): string {
    return this.#present.size === 0 ? name : (this.#present.get(name) ?? name)
  }

  oldIdsOf(id: string): readonly string[] {
    return this.#present.size === 0 ? NONE : (this.#byId.get(id)?.oldIds ?? NONE)
  }

  spellingsOf(id: string): readonly string[] {
    return this.#spellings.size === 0 ? NONE : (this.#spellings.get(id) ?? NONE)
  }
}
