/** Reads a request body's members by name and type. Only own properties count. */
import { invalidParameter, missing } from './errors.ts'

export type JsonObject = Readonly<Record<string, unknown>>

export class Body {
  readonly #values: JsonObject

  constructor(values: JsonObject) {
    this.#values = values
  }

  value(name: string): unknown {
    return Object.hasOwn(this.#values, name) ? this.#values[name] : undefined
  }

  /** '' where it is missing. */
  text(name: string): string {
    const value = this.value(name) ?? ''
    if (typeof value !== 'string') throw invalidParameter(name, 'a string')
    return value
  }

  required(name: string): string {
    const value = this.text(name)
    if (value === '') throw missing(name)
    return value
  }

  flag(name: string, fallback = false): boolean {
    const value = this.value(name) ?? fallback
    if (typeof value !== 'boolean') throw invalidParameter(name, 'a boolean')
    return value
  }

  integer(name: string, fallback: number): number {
    const value = this.value(name) ?? fallback
    if (typeof value !== 'number' || !Number.isSafeInteger(value)) throw invalidParameter(name, 'an integer')
    return value
  }

  list(name: string): readonly unknown[] {
    const value = this.value(name) ?? []
    if (!Array.isArray(value)) throw invalidParameter(name, 'an array')
    return value
  }

  texts(name: string): readonly string[] {
    return this.list(name).map((item) => {
      if (typeof item !== 'string') throw invalidParameter(name, 'an array of strings')
      return item
    })
  }

  objects(name: string): readonly Body[] {
    return this.list(name).map((item) => {
      if (!isObject(item)) throw invalidParameter(name, 'an array of objects')
      return new Body(item)
    })
  }

  /** An empty one where it is missing. */
  object(name: string): Body {
    const value = this.value(name) ?? {}
    if (!isObject(value)) throw invalidParameter(name, 'an object')
    return new Body(value)
  }

  /** What stands here under these names. */
  only(names: readonly string[]): Body {
    return new Body(Object.fromEntries(this.entries().filter(([key]) => names.includes(key))))
  }

  all(): JsonObject {
    return this.#values
  }

  entries(): readonly (readonly [string, unknown])[] {
    return Object.entries(this.#values)
  }

  /** Members as the wire's key-value pairs: everything but text as JSON. */
  pairs(): { key: string; value: string }[] {
    return this.entries()
      .filter(([, value]) => value !== undefined && value !== null)
      .map(([key, value]) => ({ key, value: asText(value) }))
  }
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

export function asText(value: unknown): string {
  if (typeof value === 'string') return value
  return typeof value === 'bigint' ? value.toString() : JSON.stringify(value)
}

/** The names that almost every request has. */
export function named(body: Body): { readonly db_name: string; readonly collection_name: string } {
  return { db_name: body.text('dbName'), collection_name: body.text('collectionName') }
}

export function db(body: Body): { readonly db_name: string } {
  return { db_name: body.text('dbName') }
}
