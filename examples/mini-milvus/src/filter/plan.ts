/**
 * Plans: a compiled filter as a tree of steps, each of which answers for all rows of a batch at once. Logic has three values (Kleene):
 * a comparison with null is unknown, `not unknown` is unknown, and only rows that are true match.
 */
import { fillColumn } from '../codec/fill.ts'
import type { Column, ColumnSource } from '../model/column.ts'
import type { FieldSchema } from '../model/schema.ts'
import { logicalProbe, negated, nullProbe } from './probe.ts'
import type { Probe } from './probe.ts'

export const FALSE = 0
export const TRUE = 1
export const UNKNOWN = 2
export type Truth = typeof FALSE | typeof TRUE | typeof UNKNOWN

/** Which elements a filter names. */
export interface ElementFilter {
  /** One of the lists; those of the others are as long. */
  readonly fieldId: number
  readonly struct: string
  /**
   * One byte for each element of the rows `begin .. end`, one after the other: 1 where it matches.
   * @param out where they are written to, from the element's own place in the list column on; else the result begins with the first
   */
  mark(source: ColumnSource, begin: number, end: number, out?: Uint8Array): Uint8Array
}

export interface Plan {
  /** Writes one {@link Truth} for each of the context's rows to `out[0 .. context.rows)`. */
  run(context: Context, out: Uint8Array): void
  /** What an index can tell about it. */
  readonly probe?: Probe | undefined
}

/** Row `base + i` of `column` is the context's row i. */
export interface Slot {
  readonly column: Column
  readonly base: number
}

/** One evaluation: the rows `begin` to `end` of a source. */
export class Context {
  readonly rows: number
  readonly #source: ColumnSource
  readonly #begin: number
  readonly #filled = new Map<number, Slot>()
  readonly #buffers: Uint8Array[] = []

  constructor(source: ColumnSource, begin: number, end: number) {
    this.#source = source
    this.#begin = begin
    this.rows = end - begin
  }

  /** A column that the source lacks is older than the field: it holds the default, or null. */
  slot(field: FieldSchema): Slot {
    const column = this.#source.column(field.id)
    if (column !== undefined) return { column, base: this.#begin }
    let slot = this.#filled.get(field.id)
    if (slot === undefined) {
      slot = { column: fillColumn(field, this.rows), base: 0 }
      this.#filled.set(field.id, slot)
    }
    return slot
  }

  borrow(): Uint8Array {
    return this.#buffers.pop() ?? new Uint8Array(this.rows)
  }

  giveBack(buffer: Uint8Array): void {
    this.#buffers.push(buffer)
  }
}

/** Rows that are null become unknown, whatever was computed from the zero below. */
export function markNulls({ column, base }: Slot, rows: number, out: Uint8Array): void {
  const { valid } = column
  if (valid === undefined) return
  for (let i = 0; i < rows; i++) if (valid[base + i] === 0) out[i] = UNKNOWN
}

export function constantPlan(truth: Truth): Plan {
  return { run: (context, out) => void out.fill(truth, 0, context.rows) }
}

/** A plan for what cannot be answered column-wise: `prepare` gives a function of the row. */
export function rowPlan(prepare: (context: Context) => (row: number) => Truth): Plan {
  return {
    run(context, out) {
      const test = prepare(context)
      for (let i = 0; i < context.rows; i++) out[i] = test(i)
    },
  }
}

export function notPlan(inner: Plan): Plan {
  return {
    run(context, out) {
      inner.run(context, out)
      // 0 -> 1, 1 -> 0, 2 -> 2
      for (let i = 0; i < context.rows; i++) out[i] = (0x201 >> ((out[i] ?? 0) << 2)) & 3
    },
    probe: negated(inner.probe),
  }
}

// The truth of each pair (a * 3 + b).
const AND = new Uint8Array([FALSE, FALSE, FALSE, FALSE, TRUE, UNKNOWN, FALSE, UNKNOWN, UNKNOWN])
const OR = new Uint8Array([FALSE, TRUE, UNKNOWN, TRUE, TRUE, TRUE, UNKNOWN, TRUE, UNKNOWN])

export function logicalPlan(op: 'and' | 'or', operands: readonly Plan[]): Plan {
  const table = op === 'and' ? AND : OR
  const settled = op === 'and' ? FALSE : TRUE
  return {
    run(context, out) {
      const { rows } = context
      const other = context.borrow()
      operands.forEach((operand, index) => {
        if (index === 0) return operand.run(context, out)
        if (isAll(out, rows, settled)) return
        operand.run(context, other)
        for (let i = 0; i < rows; i++) out[i] = table[(out[i] ?? 0) * 3 + (other[i] ?? 0)] ?? 0
      })
      context.giveBack(other)
    },
    probe: logicalProbe(op, operands.map(({ probe }) => probe)),
  }
}

function isAll(out: Uint8Array, rows: number, truth: Truth): boolean {
  for (let i = 0; i < rows; i++) if (out[i] !== truth) return false
  return true
}

export function nullPlan(field: FieldSchema, negated: boolean): Plan {
  return {
    probe: nullProbe(field, negated),
    run(context, out) {
      const { column, base } = context.slot(field)
      const { valid } = column
      if (valid === undefined) out.fill(negated ? TRUE : FALSE, 0, context.rows)
      else for (let i = 0; i < context.rows; i++) out[i] = (valid[base + i] === 0) === negated ? FALSE : TRUE
    },
  }
}
