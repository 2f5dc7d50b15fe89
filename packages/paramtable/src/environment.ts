/**
 * The layer of environment variables: those with one prefix, and those of a list. Never the whole environment: a variable that
 * docker or Kubernetes sets, such as MINIO_PORT=tcp://…, would silently replace a parameter (Milvus #28032, #40622).
 */
import { normalizeKey, show } from './check.ts'
import type { LayerEntry } from './layers.ts'
import { Variables } from './variables.ts'

export interface EnvironmentOptions {
  /** The variables, such as `process.env`. */
  readonly values: Readonly<Record<string, string | undefined>>
  /** Every variable that starts with it counts, such as `MINI_MILVUS_`. */
  readonly prefix?: string | undefined
  /** More variables, by name, with the parameters that they set. They give way to prefixed ones. */
  readonly names?: Readonly<Record<string, string>> | undefined
}

/** In two passes: listed variables, then prefixed ones over them, whatever the order of the environment. */
export function variablesOf(options: EnvironmentOptions): Variables {
  if (typeof options !== 'object' || options === null) throw new TypeError(`expected \`env\` to be an object, got ${show(options)}`)
  const { values, prefix, names = {} } = options
  if (typeof values !== 'object' || values === null) throw new TypeError(`expected \`env.values\` to be an object, got ${show(values)}`)
  if (prefix !== undefined && !isPrefix(prefix)) throw new TypeError(`expected \`env.prefix\` to be letters, digits and _, got ${show(prefix)}`)
  const sourceOf = (name: string): string => `environment variable ${name}`
  const listed = new Map<string, LayerEntry>()
  for (const [name, key] of Object.entries(names)) {
    const value = values[name]
    if (typeof value === 'string') listed.set(normalizeKey(key), { value, source: sourceOf(name) })
  }
  const named = prefix === undefined ? [] : Object.entries(values).flatMap(([name, value]) => (typeof value === 'string' ? [{ name, value, source: sourceOf(name) }] : []))
  return new Variables(listed, named.sort((a, b) => (a.name < b.name ? -1 : 1)), prefix ?? '')
}

export function isPrefix(prefix: unknown): boolean {
  return typeof prefix === 'string' && /^[A-Za-z_][A-Za-z0-9_]*$/.test(prefix)
}
