/**
 * Columns that rows are appended to: capacity doubles, so an append costs what its rows cost. A column taken before an append
 * stays right for its own length: bytes once written never change, larger capacity is a copy.
 */
import type { Column, ColumnSource, JsonColumn, ListColumn, NumberColumn, RowBatch, SparseColumn, StringColumn, VectorColumn } from '../model/column.ts'
import type { CollectionSchema, FieldSchema } from '../model/schema.ts'
import { emptyColumn, fillColumn } from './fill.ts'
import { sameNumbers } from './gather.ts'
import { sliceColumn } from './slice.ts'

export interface GrowableColumns extends ColumnSource {
  /** Rows that lack a column of the schema get the field's default or null. */
  append(batch: RowBatch): void
}

export interface GrowableOptions {
  /** Vectors lie in a SharedArrayBuffer. */
  readonly shared: boolean
}

export function createGrowableColumns(schema: CollectionSchema, options: GrowableOptions): GrowableColumns {
  return new Growable(schema, options)
}

interface Grower {
  append(column: Column): void
  column(): Column
}

class Growable implements GrowableColumns {
  readonly #fields: ReadonlyMap<number, { readonly field: FieldSchema; readonly grower: Grower }>
  #length = 0

  constructor(schema: CollectionSchema, { shared }: GrowableOptions) {
    this.#fields = new Map(schema.fields.map((field) => [field.id, { field, grower: growerOf(field, shared) }]))
  }

  get length(): number {
    return this.#length
  }

  append(batch: RowBatch): void {
    if (batch.length === 0) return
    for (const { field, grower } of this.#fields.values()) grower.append(batch.columns.get(field.id) ?? fillColumn(field, batch.length))
    this.#length += batch.length
  }

  column(fieldId: number): Column | undefined {
    return this.#fields.get(fieldId)?.grower.column()
  }
}

function growerOf(field: FieldSchema, shared: boolean): Grower {
  const empty = emptyColumn(field)
  switch (empty.kind) {
    case 'vector':
      return new VectorGrower(empty, shared)
    case 'bool':
    case 'number':
    case 'int64':
      return new FixedGrower(empty)
    case 'string':
    case 'json':
      return new TextGrower(empty)
    case 'array':
      return new ListGrower(empty, shared)
    case 'vectors':
      return new ListGrower(empty, shared)
    case 'sparse':
      return new TextGrower(empty, shared)
  }
}

/** Validity bytes, kept only once a null or a validity came. */
class ValidBytes {
  #bytes: Uint8Array | undefined

  append(column: Column, first: number): void {
    if (column.valid === undefined && this.#bytes === undefined) return
    const length = first + column.length
    if (this.#bytes === undefined) this.#bytes = new Uint8Array(capacityFor(length)).fill(1)
    this.#bytes = grown(this.#bytes, first, length, (size) => new Uint8Array(size).fill(1))
    if (column.valid !== undefined) this.#bytes.set(column.valid.subarray(0, column.length), first)
  }

  view(length: number): Uint8Array | undefined {
    return this.#bytes?.subarray(0, length)
  }
}

type FixedColumn = Extract<Column, { kind: 'bool' | 'number' | 'int64' }>

class FixedGrower implements Grower {
  readonly #valid = new ValidBytes()
  #column: FixedColumn

  constructor(empty: FixedColumn) {
    this.#column = empty
  }

  append(column: Column): void {
    const own = this.#column
    const { length: first } = own
    const length = first + column.length
    this.#valid.append(column, first)
    const base = { type: own.type, length, valid: this.#valid.view(length) }
    if (own.kind === 'bool' && column.kind === 'bool') {
      const values = grown(own.values, first, length, (size) => new Uint8Array(size))
      values.set(column.values.subarray(0, column.length), first)
      this.#column = { ...base, kind: 'bool', values }
    } else if (own.kind === 'int64' && column.kind === 'int64') {
      const values = grown(own.values, first, length, (size) => new BigInt64Array(size))
      values.set(column.values.subarray(0, column.length), first)
      this.#column = { ...base, kind: 'int64', values }
    } else if (own.kind === 'number' && column.kind === 'number') {
      const values = grown<NumberColumn['values']>(own.values, first, length, (size) => sameNumbers(own.values, size))
      values.set(column.values.subarray(0, column.length), first)
      this.#column = { ...base, kind: 'number', values }
    } else throw mismatch(own, column)
  }

  column(): FixedColumn {
    return this.#column
  }
}

class TextGrower<C extends StringColumn | JsonColumn | SparseColumn = StringColumn> implements Grower {
  readonly #shared: boolean
  readonly #valid = new ValidBytes()
  #column: C

  constructor(empty: C, shared = false) {
    this.#shared = shared
    // A valid column's: nulls are counted from the first that comes.
    this.#column = { ...empty, valid: undefined, offsets: new Uint32Array(memory(4, shared)) }
  }

  append(column: Column): void {
    const own = this.#column
    if (column.kind !== own.kind || (column.kind !== 'string' && column.kind !== 'json' && column.kind !== 'sparse')) throw mismatch(own, column)
    const { length: first } = own
    const length = first + column.length
    this.#valid.append(column, first)
    const used = own.offsets[first] as number
    const start = column.offsets[0] as number
    const end = column.offsets[column.length] as number
    const data = grown(own.data, used, used + end - start, (size) => new Uint8Array(memory(size, this.#shared)))
    data.set(column.data.subarray(start, end), used)
    const offsets = grown(own.offsets, first + 1, length + 1, (size) => new Uint32Array(memory(size * 4, this.#shared)))
    for (let row = 1; row <= column.length; row++) offsets[first + row] = used + (column.offsets[row] as number) - start
    this.#column = { ...own, length, valid: this.#valid.view(length), offsets, data }
  }

  column(): C {
    return this.#column
  }
}

class ListGrower<C extends ListColumn> implements Grower {
  readonly #valid = new ValidBytes()
  readonly #elements: FixedGrower | TextGrower | VectorGrower
  readonly #shared: boolean
  #column: C

  /** @param shared offsets and vectors of lists of vectors lie in a SharedArrayBuffer: lists are searched as they are */
  constructor(empty: C, shared: boolean) {
    const { elements } = empty
    this.#shared = shared && empty.kind === 'vectors'
    this.#column = { ...empty, offsets: new Uint32Array(memory(4, this.#shared)) }
    this.#elements = elements.kind === 'vector' ? new VectorGrower(elements, shared) : elements.kind === 'string' ? new TextGrower(elements) : new FixedGrower(elements)
  }

  append(column: Column): void {
    const own = this.#column
    if ((column.kind !== 'array' && column.kind !== 'vectors') || column.kind !== own.kind || column.elementType !== own.elementType) throw mismatch(own, column)
    const { length: first } = own
    const length = first + column.length
    this.#valid.append(column, first)
    const used = own.offsets[first] as number
    const start = column.offsets[0] as number
    this.#elements.append(sliceElements(column))
    const offsets = grown(own.offsets, first + 1, length + 1, (size) => new Uint32Array(memory(size * 4, this.#shared)))
    for (let row = 1; row <= column.length; row++) offsets[first + row] = used + (column.offsets[row] as number) - start
    this.#column = { ...own, length, valid: this.#valid.view(length), offsets, elements: this.#elements.column() }
  }

  column(): Column {
    return this.#column
  }
}

/** The elements that the rows use, and no others. */
function sliceElements({ offsets, length, elements }: ListColumn): ListColumn['elements'] {
  const start = offsets[0] as number
  const end = offsets[length] as number
  if (start === 0 && end === elements.length) return elements
  return sliceColumn(elements, start, end)
}

class VectorGrower implements Grower {
  readonly #shared: boolean
  readonly #valid = new ValidBytes()
  #column: VectorColumn

  constructor(empty: VectorColumn, shared: boolean) {
    this.#shared = shared
    this.#column = { ...empty, valid: undefined }
  }

  append(column: Column): void {
    const own = this.#column
    if (column.kind !== 'vector' || column.bytesPerRow !== own.bytesPerRow) throw mismatch(own, column)
    const { length: first, bytesPerRow } = own
    const length = first + column.length
    this.#valid.append(column, first)
    const data = grown(own.data, first * bytesPerRow, length * bytesPerRow, (size) => new Uint8Array(memory(size, this.#shared)))
    data.set(column.data.subarray(0, column.length * bytesPerRow), first * bytesPerRow)
    this.#column = { ...own, length, valid: this.#valid.view(length), data }
  }

  column(): Column {
    return this.#column
  }
}

interface Growing<T> {
  readonly length: number
  subarray(start: number, end: number): T
  set(values: T, offset: number): void
}

/** The same array when it is long enough, else a longer one with its first `used` items. */
function grown<T extends Growing<unknown>>(values: T, used: number, needed: number, create: (size: number) => T): T {
  if (needed <= values.length) return values
  const larger = create(capacityFor(needed))
  larger.set(values.subarray(0, used), 0)
  return larger
}

function memory(bytes: number, shared: boolean): ArrayBufferLike {
  return shared ? new SharedArrayBuffer(bytes) : new ArrayBuffer(bytes)
}

function capacityFor(needed: number): number {
  return Math.max(64, 2 ** Math.ceil(Math.log2(needed)))
}

function mismatch(own: Column, column: Column): TypeError {
  return new TypeError(`expected a ${own.kind} column of type ${own.type}, got ${column.kind} of type ${column.type}`)
}
