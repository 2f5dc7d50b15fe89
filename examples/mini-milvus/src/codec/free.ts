/** Memory that is given back at once: the collector would come for it much later, since it weighs little in its books. */
import type { Column } from '../model/column.ts'

/** Nothing of these columns can be read any more. For columns that lie on memory of their own, such as what a join of several made. */
export function freeColumns(columns: Iterable<Column>): void {
  for (const column of columns) {
    if (!('data' in column)) continue
    const { buffer } = column.data
    // To transfer it is to take it from whoever has it.
    if (buffer instanceof ArrayBuffer && buffer.byteLength > 0) structuredClone(undefined, { transfer: [buffer] })
  }
}
