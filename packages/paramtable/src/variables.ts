/**
 * Names of variables as names of parameters. A variable sets the known parameter that has the same letters and digits
 * (`ETCD_ROOT_PATH`: `etcd.rootPath`); where there is none, every `_` is a dot. So what a variable sets depends on what is known, and
 * is asked again when that changes.
 */
import type { ParamProblem } from './errors.ts'
import type { LayerEntry } from './layers.ts'

export interface Variable {
  readonly name: string
  readonly value: string
  readonly source: string | (() => string)
}

/** Letters and digits alone: `ETCD_ROOT_PATH` and `etcd.rootPath` are the same then. */
function squash(key: string): string {
  return key.toLowerCase().replace(/[._/-]/g, '')
}

export class Variables {
  readonly #listed: ReadonlyMap<string, LayerEntry>
  readonly #named: readonly { readonly variable: Variable; readonly rest: string }[]

  /** `listed`: entries whose parameters are given; they give way. `named`: variables of which only those with the prefix count. */
  constructor(listed: ReadonlyMap<string, LayerEntry>, named: readonly Variable[], prefix: string) {
    this.#listed = listed
    this.#named = named
      .filter(({ name }) => name.length > prefix.length && name.toUpperCase().startsWith(prefix.toUpperCase()))
      .map((variable) => ({ variable, rest: variable.name.slice(prefix.length) }))
  }

  /** The entries by parameter. Two variables that say different things of one are a problem. */
  entries(knownIds: Iterable<string>, problems: ParamProblem[]): Map<string, LayerEntry> {
    const entries = new Map(this.#listed)
    if (this.#named.length === 0) return entries
    const wanted = new Map(this.#named.map(({ rest }) => [squash(rest), rest.toLowerCase().replaceAll('_', '.')]))
    for (const id of knownIds) if (wanted.has(squash(id))) wanted.set(squash(id), id)
    const setBy = new Map<string, Variable>()
    for (const { variable, rest } of this.#named) {
      const id = wanted.get(squash(rest)) ?? rest
      const { name, value, source } = variable
      const other = setBy.get(id)
      if (other !== undefined && other.value !== value) {
        const where = typeof source === 'string' ? source : source()
        problems.push({ code: 'PARAM_INVALID', key: id, source: where, message: `\`${id}\` is also set by ${other.name}, with another value than by ${name}` })
      }
      setBy.set(id, variable)
      entries.set(id, { value, source })
    }
    return entries
  }
}
