/** A small table of rows, by paths of members. */
import type { Row } from './api.ts'
import { at, text } from './format.ts'

export function Part({ title, rows, columns }: { readonly title: string; readonly rows: readonly Row[]; readonly columns: readonly string[] }) {
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
              <th key={column} scope="col">
                {column.split('.').at(-1)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, 200).map((row, i) => (
            <tr key={text(row['key'] ?? i)}>
              {columns.map((column) => (
                <td key={column}>
                  <bdi>{text(at(row, column))}</bdi>
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}
