import type { Column } from '../model/column.ts'
import type { IndexedColumn } from '../scalar/index.ts'

/** The column without bytes of others: sending a view sends all that lies under it, unless it is shared. */
export function sendableColumn<C extends IndexedColumn>(column: C): C
export function sendableColumn(column: IndexedColumn): Column {
  const { length } = column
  const valid = column.valid === undefined ? undefined : own(column.valid, length)
  switch (column.kind) {
    case 'bool':
      return { ...column, valid, values: own(column.values, length) }
    case 'int64':
      return { ...column, valid, values: own(column.values, length) }
    case 'number':
      return { ...column, valid, values: own(column.values, length) }
    case 'string':
      return { ...column, valid, offsets: own(column.offsets, length + 1), data: own(column.data, column.offsets[length] as number) }
    case 'array':
      return { ...column, valid, offsets: own(column.offsets, length + 1), elements: sendableColumn(column.elements) }
  }
}

interface View<T> {
  readonly buffer: ArrayBufferLike
  readonly byteLength: number
  slice(start: number, end: number): T
}

function own<T extends View<T>>(values: T, length: number): T {
  return values.buffer instanceof SharedArrayBuffer || values.byteLength === values.buffer.byteLength ? values : values.slice(0, length)
}
