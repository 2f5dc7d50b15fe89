/** A small table of rows, by paths of members. */
import type { ComponentChildren } from 'preact'
import type { Row } from './api.ts'
import { at, text } from './format.ts'

/** A path, or how a cell is shown. */
export type PartColumn = string | { readonly path: string; readonly title: string; readonly show: (value: unknown, row: Row) => ComponentChildren; readonly isNumber?: boolean }

const pathOf = (column: PartColumn): string => (typeof column === 'string' ? column : column.path)
const titleOf = (column: PartColumn): string => (typeof column === 'string' ? (column.split('.').at(-1) ?? '') : column.title)

export function Part({ title, rows, columns }: { readonly title: string; readonly rows: readonly Row[]; readonly columns: readonly PartColumn[] }) {
  if (rows.length === 0) return null
  return (
    <div class="scroll" tabIndex={0}>
      <table>
        <caption>
          {title} ({rows.length})
        </caption>
        <thead>
          <tr>
            {columns.map((column) => (
              <th key={titleOf(column)} scope="col" class={typeof column === 'object' && column.isNumber === true ? 'number' : ''}>
                {titleOf(column)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, 200).map((row, i) => (
            <tr key={text(row['key'] ?? i)}>
              {columns.map((column) => (
                <Cell key={titleOf(column)} column={column} row={row} />
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function Cell({ column, row }: { readonly column: PartColumn; readonly row: Row }) {
  const value = at(row, pathOf(column))
  const isState = titleOf(column) === 'state'
  return (
    <td class={typeof column === 'object' && column.isNumber === true ? 'number' : ''}>
      {typeof column === 'object' ? column.show(value, row) : isState ? <span class="state" data-state={text(value)}>{text(value)}</span> : <Value value={value} />}
    </td>
  )
}

const LONG = 80

/** What is long is shown whole to whoever asks for it. */
export function Value({ value }: { readonly value: unknown }) {
  const whole = text(value)
  if (whole.length <= LONG) return <bdi>{whole}</bdi>
  return (
    <details class="long">
      <summary>
        <bdi>{whole.slice(0, LONG)}…</bdi>
      </summary>
      <bdi>{whole}</bdi>
    </details>
  )
}
