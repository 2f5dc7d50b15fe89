/** Rows as JSON lines: whole numbers exact, JSON as it was written, members of the dynamic field beside the others. */
import { rowToJson } from '../codec/row-json.ts'
import { isNull, textAt, type RowBatch } from '../model/column.ts'
import type { FieldSchema } from '../model/schema.ts'
import { stringifyJson } from '../rest/json.ts'

export function jsonLines(fields: readonly FieldSchema[], { columns, length }: RowBatch): string {
  const lines: string[] = []
  for (let row = 0; row < length; row++) {
    const members: string[] = []
    for (const field of fields) {
      const column = columns.get(field.id)
      if (column === undefined) continue
      if (field.struct !== undefined) {
        const { struct } = field
        const own = fields.filter((other) => other.struct === struct)
        // All of it with the first of its sub-fields.
        if (own[0] === field) members.push(`${JSON.stringify(struct)}:${stringifyJson(rowToJson(own, columns, row)[struct])}`)
        continue
      }
      if (column.kind === 'json') {
        const text = isNull(column, row) ? 'null' : textAt(column, row).trim() || 'null'
        if (!field.isDynamic) members.push(`${JSON.stringify(field.name)}:${text}`)
        else if (text.startsWith('{') && text.slice(1, -1).trim() !== '') members.push(text.slice(1, -1))
      } else members.push(`${JSON.stringify(field.name)}:${stringifyJson(rowToJson([field], columns, row)[field.name])}`)
    }
    lines.push(`{${members.join(',')}}\n`)
  }
  return lines.join('')
}
