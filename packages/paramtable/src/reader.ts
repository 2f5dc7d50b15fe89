/** Typed reads, of a table and of a snapshot. Declared parameters were parsed when they were accepted: a read is a look-up. */
import { normalizeKey, show } from './check.ts'
import type { Declared, ParamType } from './declaration.ts'
import { ParamError, problemsError } from './errors.ts'
import { isSecret } from './explain.ts'
import { because, parseAs } from './parsers.ts'
import type { ParamValue } from './parsers.ts'
import type { Resolved } from './snapshot.ts'
import { askSchema, isStandardSchema } from './standard-schema.ts'
import type { StandardSchema } from './standard-schema.ts'

/**
 * All getters: any letter case, `fallback` where there is no value.
 *
 * Throw {@link ParamError} `PARAM_MISSING` where there is neither value nor fallback, `PARAM_INVALID` for an undeclared parameter whose text
 * does not parse; `TypeError` when the parameter is declared as another type.
 */
export abstract class ParamReader {
  /** What is visible under a name. */
  protected abstract find(key: string): Resolved | undefined
  protected abstract declaredAs(id: string): Declared | undefined
  protected abstract sourceOf(found: Resolved): string

  getString(key: string, fallback?: string): string {
    return this.#typed(key, 'string', fallback)
  }

  getInt(key: string, fallback?: number): number {
    return this.#typed(key, 'int', fallback)
  }

  getFloat(key: string, fallback?: number): number {
    return this.#typed(key, 'float', fallback)
  }

  getBool(key: string, fallback?: boolean): boolean {
    return this.#typed(key, 'bool', fallback)
  }

  /** Milliseconds; a text such as `1.5s` or `200`. */
  getDurationMs(key: string, fallback?: number): number {
    return this.#typed(key, 'durationMs', fallback)
  }

  /** Bytes; a text such as `64k` or `1.5GiB`, 1024-based. */
  getBytes(key: string, fallback?: number): number {
    return this.#typed(key, 'bytes', fallback)
  }

  getEnum(key: string, fallback?: string): string {
    return this.#typed(key, 'enum', fallback)
  }

  getList(key: string, fallback?: readonly string[]): readonly string[] {
    return this.#typed(key, 'list', fallback)
  }

  /** A text that is JSON, such as an array of maps in a file; frozen. Integers beyond 2^53 lose digits here: `load` has the text. */
  getJson(key: string, fallback?: ParamValue): ParamValue {
    return this.#typed(key, 'json', fallback)
  }

  /**
   * What a schema makes of the value, with the schema's own type. Where the parameter is declared with this very schema that was done
   * when the value was accepted; else the schema is asked now, with the declared type's value, or the text.
   */
  getWith<Output>(key: string, schema: StandardSchema<unknown, Output>): Output {
    const found = this.find(key)
    if (found !== undefined && found.declared?.schema === schema) return found.output as Output
    if (!isStandardSchema(schema)) throw new TypeError(`expected \`schema\` to be a Standard Schema, got ${show(schema)}`)
    if (found === undefined) throw this.#missing(normalizeKey(key))
    const verdict = askSchema(schema, found.declared === undefined ? found.value : found.typed)
    if (verdict.ok) return verdict.output as Output
    throw this.#refused(found, 'what the schema takes', `: ${verdict.detail}`)
  }

  #typed<T extends ParamValue>(key: string, type: ParamType, fallback: T | undefined): T {
    const found = this.find(key)
    if (found !== undefined) {
      if (found.type === type) return found.typed as T
      if (found.readAs === type) return found.readValue as T
    }
    return this.#typedSlowly(normalizeKey(key), type, found, fallback)
  }

  #typedSlowly<T extends ParamValue>(id: string, type: ParamType, found: Resolved | undefined, fallback: T | undefined): T {
    const declared = this.declaredAs(id)
    const asText = type === 'string' && declared?.type === 'enum'
    if (declared !== undefined && declared.type !== type && !asText) throw new TypeError(`\`${declared.key}\` is declared as ${declared.type}, not ${type}`)
    if (found === undefined) {
      if (fallback !== undefined) return fallback
      throw this.#missing(id)
    }
    const parsed = parseAs(type === 'enum' ? 'string' : type, found.value)
    if (!parsed.ok) throw this.#refused(found, parsed.expected, because(parsed))
    if (declared === undefined) Object.assign(found, { readAs: type, readValue: parsed.value })
    return parsed.value as T
  }

  #missing(id: string): ParamError {
    const key = this.declaredAs(id)?.key ?? id
    return new ParamError('PARAM_MISSING', `\`${key}\` has no value`, { details: { key } })
  }

  #refused(found: Resolved, expected: string, detail: string): ParamError {
    const { id, declared, value } = found
    const got = isSecret(id, declared) ? 'a secret' : `${show(value)}${detail}`
    return problemsError([{ code: 'PARAM_INVALID', key: id, source: this.sourceOf(found), message: `expected \`${declared?.key ?? id}\` to be ${expected}, got ${got}` }])
  }
}
