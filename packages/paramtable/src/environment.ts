/**
 * The layer of environment variables: those with one prefix, and those of a list. Never the whole environment: a variable that
 * docker or Kubernetes sets, such as MINIO_PORT=tcp://…, would silently replace a parameter (Milvus #28032, #40622).
 */
import { normalizeKey, show } from './check.ts'
import type { ParamProblem } from './errors.ts'
import type { LayerEntry } from './layers.ts'

export interface EnvironmentOptions {
  /** The variables, such as `process.env`. */
  readonly values: Readonly<Record<string, string | undefined>>
  /** Every variable that starts with it counts, such as `MINI_MILVUS_`. */
  readonly prefix?: string | undefined
  /** More variables, by name, with the parameters that they set. They give way to prefixed ones. */
  readonly names?: Readonly<Record<string, string>> | undefined
}

interface Variable {
  readonly name: string
  readonly value: string
  /** The parameter, for listed variables; else what the prefix left. */
  readonly key: string | undefined
  readonly rest: string
}

/** Letters and digits alone: `ETCD_ROOT_PATH` and `etcd.rootPath` are the same then. */
export function squash(key: string): string {
  return key.toLowerCase().replace(/[._/-]/g, '')
}

export class Environment {
  readonly #listed: Variable[] = []
  readonly #prefixed: Variable[] = []

  constructor(options: EnvironmentOptions) {
    const { values, prefix, names = {} } = options
    if (typeof values !== 'object' || values === null) throw new TypeError(`expected \`env.values\` to be an object, got ${show(values)}`)
    if (prefix !== undefined && (typeof prefix !== 'string' || !/^[A-Za-z_][A-Za-z0-9_]*$/.test(prefix))) {
      throw new TypeError(`expected \`env.prefix\` to be letters, digits and _, got ${show(prefix)}`)
    }
    for (const [name, key] of Object.entries(names)) {
      const value = values[name]
      if (typeof value === 'string') this.#listed.push({ name, value, key: normalizeKey(key), rest: '' })
    }
    for (const [name, value] of Object.entries(values)) {
      if (prefix === undefined || typeof value !== 'string' || !name.toUpperCase().startsWith(prefix.toUpperCase())) continue
      const rest = name.slice(prefix.length)
      if (rest !== '') this.#prefixed.push({ name, value, key: undefined, rest })
    }
    // Whatever order the environment has, the result is one.
    this.#prefixed.sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  /**
   * The entries, in two passes: listed variables, then prefixed ones over them. A prefixed variable sets the known parameter
   * that has the same letters and digits; else every `_` is a dot.
   */
  entries(knownIds: Iterable<string>, problems: ParamProblem[]): Map<string, LayerEntry> {
    const entries = new Map<string, LayerEntry>()
    for (const { name, value, key } of this.#listed) entries.set(key ?? name, { value, source: `environment variable ${name}` })
    if (this.#prefixed.length === 0) return entries
    const wanted = new Map(this.#prefixed.map(({ rest }) => [squash(rest), rest.toLowerCase().replaceAll('_', '.')]))
    for (const id of knownIds) if (wanted.has(squash(id))) wanted.set(squash(id), id)
    const setBy = new Map<string, Variable>()
    for (const variable of this.#prefixed) {
      const id = wanted.get(squash(variable.rest)) ?? variable.rest
      const other = setBy.get(id)
      const source = `environment variable ${variable.name}`
      if (other !== undefined && other.value !== variable.value) {
        problems.push({ code: 'PARAM_INVALID', key: id, source, message: `\`${id}\` is also set by ${other.name}, with another value` })
      }
      setBy.set(id, variable)
      entries.set(id, { value: variable.value, source })
    }
    return entries
  }
}
