/** Where a value comes from. */
import type { Declared } from './declaration.ts'
import { sourceOf, textFor } from './layers.ts'
import type { LayerHit, LayerKind } from './layers.ts'

export interface ExplainedValue {
  readonly layer: LayerKind
  /** Such as `milvus.yaml:3:5`, `environment variable MINI_MILVUS_PROXY_PORT`, `save()`, `default`. */
  readonly source: string
  /** `undefined`: this layer hides the key. Secrets are masked. */
  readonly value: string | undefined
  /** The earlier name of the parameter under which this layer has it. */
  readonly deprecatedKey?: string | undefined
}

export interface Explanation {
  readonly key: string
  /** `undefined` when no layer has it, or the strongest that has it hides it. */
  readonly value: string | undefined
  readonly layer: LayerKind | undefined
  readonly source: string | undefined
  readonly deprecatedKey: string | undefined
  /** What weaker layers say, strongest first. */
  readonly overrides: readonly ExplainedValue[]
  readonly declaration: Declared | undefined
}

export const MASK = '******'
const SECRET_WORDS = /password|passwd|secret|token|credential|privatekey|accesskey|apikey/

/** Declared so; or, where nothing is declared, named so. */
export function isSecret(id: string, declared: Declared | undefined): boolean {
  return declared?.secret ?? SECRET_WORDS.test(id.replace(/[._/-]/g, '').toLowerCase())
}

export function explain(key: string, found: readonly LayerHit[], declaration: Declared | undefined): Explanation {
  const masked = isSecret(key, declaration)
  const values = found.map(({ layer, entry, name }): ExplainedValue => ({
    layer: layer.kind,
    source: sourceOf(entry),
    value: entry.value === undefined || !masked ? textFor(declaration?.type, entry) : MASK,
    deprecatedKey: declaration === undefined || name === declaration.id ? undefined : name,
  }))
  const [first, ...overrides] = values
  const shown = masked && declaration?.defaultText !== undefined ? { ...declaration, default: MASK, defaultText: MASK } : declaration
  return { key, value: first?.value, layer: first?.layer, source: first?.source, deprecatedKey: first?.deprecatedKey, overrides, declaration: shown }
}
