import { compileFilter, type CompiledFilter, type TemplateValue } from '../filter/index.ts'
import type { CollectionSchema } from '../model/schema.ts'

const MAX_ENTRIES = 256
const MAX_TEXT = 4096

/** Compiled filters of recent requests. A changed schema is another object, so its filters are compiled anew. */
export class FilterCache {
  readonly #bySchema = new WeakMap<CollectionSchema, Map<string, CompiledFilter>>()

  /** Undefined for a filter that takes every row. Throws the language's typed errors. */
  compile(text: string, schema: CollectionSchema, templates: ReadonlyMap<string, TemplateValue>): CompiledFilter | undefined {
    if (text.trim() === '') return undefined
    if (templates.size > 0 || text.length > MAX_TEXT) return compileFilter(text, schema, templates)
    let known = this.#bySchema.get(schema)
    if (known === undefined) this.#bySchema.set(schema, (known = new Map<string, CompiledFilter>()))
    let compiled = known.get(text)
    if (compiled === undefined) {
      compiled = compileFilter(text, schema, templates)
      if (known.size >= MAX_ENTRIES) known.delete(known.keys().next().value as string)
      known.set(text, compiled)
    }
    return compiled
  }
}
