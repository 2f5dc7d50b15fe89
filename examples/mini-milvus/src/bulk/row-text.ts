/** Rows of JSON and CSV: text to values, with whole numbers exact, in the forms that Milvus's import takes. */
import { fromBFloat16, fromFloat16 } from '../codec/half.ts'
import { DataType, dataTypeName, type CollectionSchema, type FieldSchema } from '../model/schema.ts'
import { elementField, nameInStruct, structsOf, subFields } from '../model/structs.ts'
import { parseJsonBody } from '../rest/json.ts'
import { ImportError } from './errors.ts'

const encoder = new TextEncoder()
/** One level for the list, one for the row. */
const LIMITS = { maxDepth: 66, maxKeys: 10_000 }

/** @param bytes JSON objects with commas between them */
export function parseRows(bytes: Uint8Array): readonly unknown[] {
  const whole = new Uint8Array(bytes.length + 8)
  whole.set(encoder.encode('{"r":['))
  whole.set(bytes, 6)
  whole.set([0x5d, 0x7d], bytes.length + 6)
  return parseJsonBody(whole, LIMITS)['r'] as readonly unknown[]
}

/** The value of a JSON text; undefined for what is none. */
export function parseText(text: string): unknown {
  try {
    return parseRows(encoder.encode(text))[0]
  } catch {
    return undefined
  }
}

export type Row = Map<string, unknown>

/** Values in the forms that the codec reads; the members of `$meta` stand beside the fields. */
export class RowReader {
  readonly #fields: ReadonlyMap<string, FieldSchema>
  readonly #dynamic: FieldSchema | undefined
  /** Sub-fields by their names, of each array of structs. */
  readonly #structs: ReadonlyMap<string, ReadonlyMap<string, FieldSchema>>

  constructor(schema: CollectionSchema) {
    this.#fields = new Map(schema.fields.filter(({ isDynamic }) => !isDynamic).map((field) => [field.name, field]))
    this.#dynamic = schema.fields.find(({ isDynamic }) => isDynamic)
    this.#structs = new Map(structsOf(schema).map(({ name }) => [name, new Map(subFields(schema, name).map((field) => [nameInStruct(field), elementField(field)]))]))
  }

  fromJson(value: unknown, row: number): Row {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new ImportError(`expected a JSON object, got ${shown(value)}, row number: ${row}`)
    const record: Row = new Map()
    for (const [name, item] of Object.entries(value)) {
      const field = this.#fields.get(name)
      const struct = this.#structs.get(name)
      if (struct !== undefined) record.set(name, fromStructs(struct, item))
      else if (field !== undefined) record.set(name, fromJson(field, item))
      else if (name === this.#dynamic?.name) this.#spread(record, typeof item === 'string' ? parseText(item) : item, row)
      else record.set(name, item)
    }
    return record
  }

  /** @param names of the columns */
  fromTexts(names: readonly string[], texts: readonly string[], nullText: string, row: number): Row {
    const record: Row = new Map()
    names.forEach((name, at) => {
      const text = texts[at] ?? ''
      const field = this.#fields.get(name)
      const struct = this.#structs.get(name)
      if (text === nullText) {
        if (field !== undefined || struct !== undefined) record.set(name, null)
      } else if (struct !== undefined) record.set(name, fromStructs(struct, parseText(text) ?? text))
      else if (field !== undefined) record.set(name, fromText(field, text, row))
      else if (name === this.#dynamic?.name) this.#spread(record, parseText(text), row)
      else record.set(name, parseText(text) ?? text)
    })
    return record
  }

  #spread(record: Row, value: unknown, row: number): void {
    if (value === null) return
    if (typeof value !== 'object' || Array.isArray(value)) throw new ImportError(`field $meta: expected a JSON object, got ${shown(value)}, row number: ${row}`)
    for (const [key, item] of Object.entries(value)) {
      if (this.#fields.has(key) || this.#structs.has(key)) throw new ImportError(`dynamic json cannot include the static field: ${key}, row number: ${row}`)
      if (key === this.#dynamic?.name) throw new ImportError(`dynamic json cannot include ${key}, row number: ${row}`)
      if (!record.has(key)) record.set(key, item)
    }
  }
}

/** What is no list of objects is left to whoever checks rows. */
function fromStructs(fields: ReadonlyMap<string, FieldSchema>, value: unknown): unknown {
  if (!Array.isArray(value)) return value
  return value.map((item: unknown) => {
    if (typeof item !== 'object' || item === null || Array.isArray(item)) return item
    return new Map(Object.entries(item).map(([key, member]): [string, unknown] => {
      const field = fields.get(key)
      return [key, field === undefined ? member : fromJson(field, member)]
    }))
  })
}

function fromJson(field: FieldSchema, value: unknown): unknown {
  switch (field.type) {
    case DataType.JSON:
    case DataType.SparseFloatVector:
      // Text is taken for JSON if it is some: writers of files differ.
      return typeof value === 'string' ? (parseText(value) ?? value) : value
    case DataType.Float16Vector:
      return Array.isArray(value) && value.length === (field.dim ?? 0) * 2 ? halves(value, fromFloat16) : value
    case DataType.BFloat16Vector:
      return Array.isArray(value) && value.length === (field.dim ?? 0) * 2 ? halves(value, fromBFloat16) : value
    default:
      return value
  }
}

/** Bytes of a vector as numbers of it. */
function halves(bytes: readonly unknown[], toNumber: (bits: number) => number): unknown[] {
  const isByte = (value: unknown): value is number => typeof value === 'number' && Number.isInteger(value) && value >= 0 && value < 256
  return Array.from({ length: bytes.length / 2 }, (_, i) => {
    const [low, high] = [bytes[i * 2], bytes[i * 2 + 1]]
    return isByte(low) && isByte(high) ? toNumber(low | (high << 8)) : low
  })
}

function fromText(field: FieldSchema, text: string, row: number): unknown {
  switch (field.type) {
    case DataType.Bool:
      if (/^(?:true|1|t)$/i.test(text)) return true
      if (/^(?:false|0|f)$/i.test(text)) return false
      break
    case DataType.Float:
    case DataType.Double:
      if (text.trim() !== '' && !Number.isNaN(Number(text))) return Number(text)
      break
    case DataType.Int8:
    case DataType.Int16:
    case DataType.Int32:
    case DataType.Int64:
    case DataType.VarChar:
    case DataType.String:
    case DataType.Text:
    case DataType.Geometry:
    case DataType.Timestamptz:
      return text
    default: {
      const value = parseText(text)
      if (value !== undefined) return fromJson(field, value)
    }
  }
  throw new ImportError(`field ${field.name}: expected ${dataTypeName(field.type)}, got ${shown(text)}, row number: ${row}`)
}

export function shown(value: unknown): string {
  if (Array.isArray(value)) return 'an array'
  return typeof value === 'object' && value !== null ? 'an object' : `${JSON.stringify(String(value).slice(0, 40))} (${typeof value})`
}
