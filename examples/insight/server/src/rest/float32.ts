/** Numbers of 32 bits as people wrote them: 0.01, not the 0.009999999776482582 that 64 bits make of it. */
import type { Layer } from '../core/layer.ts'
import type { Json, Row } from '../core/model.ts'

/** What searches add to a row; both are 32 bits wide where Milvus makes them. */
const SCORES = ['distance', 'score']

/** The shortest decimal that is the same number in 32 bits. */
export function shortestFloat32(value: number): number {
  for (let digits = 6; digits <= 9; digits++) {
    const short = Number(value.toPrecision(digits))
    if (Math.fround(short) === Math.fround(value)) return short
  }
  return value
}

/** Rows of a collection, its `Float` fields and their scores in the shortest form. */
export function withShortFloats(rows: readonly Row[], layer: Layer, db: string, collection: string): readonly Row[] {
  const fields = fieldsOf(layer, db, collection)
  const narrow = new Set([...SCORES.filter((name) => !fields.some((field) => field['name'] === name)), ...fields.flatMap(({ name, type }) => (type === 'Float' && typeof name === 'string' ? [name] : []))])
  const shorten = (name: string, value: Json): Json => (typeof value === 'number' && narrow.has(name) ? shortestFloat32(value) : value)
  return rows.map((row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, shorten(name, value)])))
}

function fieldsOf(layer: Layer, db: string, collection: string): readonly Row[] {
  for (const { key, row } of layer.entities('collection')) if (row['name'] === collection && key.startsWith(`${db}/`)) return (row['fields'] ?? []) as readonly Row[]
  return []
}
