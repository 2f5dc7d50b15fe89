/**
 * Conditions on the elements of lists: `match_any(items, $[price] > 3)` and its kin, and `element_filter`, which also says which
 * elements it means. Within them `$[sub]` is a sub-field of the element, `$` an element of an array of values.
 */
import type { ColumnSource, ListColumn } from '../model/column.ts'
import type { CollectionSchema, FieldSchema } from '../model/schema.ts'
import { elementField, findStruct, isListType, nameInStruct, subFields } from '../model/structs.ts'
import type { CallExpr, Expr } from './ast.ts'
import { Scope } from './bind.ts'
import { Context, FALSE, TRUE, UNKNOWN } from './plan.ts'
import type { ElementFilter, Plan, Slot, Truth } from './plan.ts'
import { isNullRow } from './readers.ts'

export interface ElementPlan {
  readonly plan: Plan
  readonly elements: ElementFilter
}

type Compile = (scope: Scope, expr: Expr) => Plan
type Decide = (matching: number, length: number) => boolean

const QUANTITIES = /^match_(?:all|any|least|most|exact)$/

export function isElementCall(name: string): boolean {
  return name === 'element_filter' || QUANTITIES.test(name)
}

/** @param name of the function, in lower case */
export function elementPlan(scope: Scope, expr: CallExpr, name: string, compile: Compile): ElementPlan {
  const [target, predicate, threshold] = expr.args
  if (target?.kind !== 'field' || target.path.length > 0 || predicate === undefined) throw scope.fail(`${name} takes an array and a condition on its elements`, expr)
  const fields = listFields(scope.schema, target.name)
  const [first] = fields
  if (first === undefined) throw scope.fail(`${name}: ${target.name} is no array of structs and no array`, target)
  if (name === 'element_filter' && first.struct === undefined) throw scope.fail(`element_filter: ${target.name} is no array of structs`, target)
  const decide = decideOf(scope, expr, name, threshold)
  const inner = new Scope(scope.text, elementSchema(scope.schema, fields), scope.templates)
  const plan = compile(inner, predicate)
  scope.fieldIds.add(first.id)
  for (const id of inner.fieldIds) scope.fieldIds.add(id)
  // A few elements in a row.
  scope.cost += 4 * Math.max(1, inner.cost)
  return { plan: { run: (context, out) => run(plan, context, first, decide, out) }, elements: { fieldId: first.id, struct: target.name, mark: (source, begin, end, out) => mark(plan, first, source, begin, end, out) } }
}

function listFields(schema: CollectionSchema, name: string): readonly FieldSchema[] {
  if (findStruct(schema, name) !== undefined) return subFields(schema, name)
  return schema.fields.filter((field) => field.name === name && isListType(field.type))
}

/** The elements as rows: their fields have the ids of the lists. */
function elementSchema(schema: CollectionSchema, lists: readonly FieldSchema[]): CollectionSchema {
  const fields = lists.map((list): FieldSchema => ({ ...elementField(list), name: list.struct === undefined ? '$' : `$[${nameInStruct(list)}]`, struct: undefined }))
  return { name: schema.name, description: '', fields, enableDynamicField: false }
}

function decideOf(scope: Scope, expr: CallExpr, name: string, threshold: Expr | undefined): Decide {
  const takesThreshold = name === 'match_least' || name === 'match_most' || name === 'match_exact'
  if (!takesThreshold) {
    if (expr.args.length !== 2) throw scope.fail(`${name} takes an array and a condition on its elements`, expr)
    return name === 'match_all' ? (matching, length) => matching === length : (matching) => matching > 0
  }
  const constant = threshold === undefined || expr.args.length !== 3 || threshold.argument !== 'threshold' ? undefined : scope.constant(threshold)
  const value = constant?.kind === 'scalar' ? constant.value : undefined
  if (typeof value !== 'bigint' || value < 0n || value > 0xffff_ffffn) throw scope.fail(`${name} takes threshold=N, an integer from 0, as its last argument`, expr)
  const wanted = Number(value)
  if (name === 'match_least') return (matching) => matching >= wanted
  return name === 'match_most' ? (matching) => matching <= wanted : (matching) => matching === wanted
}

function run(plan: Plan, context: Context, field: FieldSchema, decide: Decide, out: Uint8Array): void {
  const slot = context.slot(field)
  const { offsets } = listOf(slot, field)
  const { base } = slot
  const start = offsets[base] as number
  const marks = truths(plan, (id) => context.slot({ ...field, id }), start, offsets[base + context.rows] as number)
  for (let row = 0; row < context.rows; row++) {
    const from = (offsets[base + row] as number) - start
    const to = (offsets[base + row + 1] as number) - start
    let matching = 0
    for (let at = from; at < to; at++) if (marks[at] === TRUE) matching++
    const truth: Truth = isNullRow(slot, row) ? UNKNOWN : decide(matching, to - from) ? TRUE : FALSE
    out[row] = truth
  }
}

function mark(plan: Plan, field: FieldSchema, source: ColumnSource, begin: number, end: number, out?: Uint8Array): Uint8Array {
  const column = source.column(field.id)
  if (column === undefined || (column.kind !== 'array' && column.kind !== 'vectors')) return out ?? new Uint8Array(0)
  const start = column.offsets[begin] as number
  const found = truths(plan, (id) => ({ column: source.column(id) ?? column, base: begin }), start, column.offsets[end] as number)
  for (let at = 0; at < found.length; at++) found[at] = found[at] === TRUE ? 1 : 0
  if (out === undefined) return found
  out.set(found, start)
  return out
}

/** Truths of the elements `start .. end` of the lists. */
function truths(plan: Plan, slotOf: (fieldId: number) => Slot, start: number, end: number): Uint8Array {
  const marks = new Uint8Array(end - start)
  if (marks.length === 0) return marks
  // Lists of one struct are of one length in each row, and all columns begin with their first: elements have the same places.
  const source: ColumnSource = {
    length: end,
    column(fieldId) {
      const { column } = slotOf(fieldId)
      return column.kind === 'array' || column.kind === 'vectors' ? column.elements : undefined
    },
  }
  plan.run(new Context(source, start, end), marks)
  return marks
}

function listOf({ column }: Slot, field: FieldSchema): ListColumn {
  if (column.kind !== 'array' && column.kind !== 'vectors') throw new Error(`field ${field.name} has a column of kind ${column.kind}`)
  return column
}
