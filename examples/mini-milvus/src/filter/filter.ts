import type { ColumnSource } from '../model/column.ts'
import { DataType } from '../model/schema.ts'
import type { CollectionSchema, FieldSchema } from '../model/schema.ts'
import type { Expr } from './ast.ts'
import { Scope } from './bind.ts'
import { compileExpr } from './compile.ts'
import { parseFilter } from './parse.ts'
import { Context, TRUE } from './plan.ts'
import type { ElementFilter, Plan } from './plan.ts'
import type { Probe } from './probe.ts'
import type { TemplateValue } from './templates.ts'

export type PrimaryKeys = readonly bigint[] | readonly string[]

/** A filter bound to a collection's schema; it keeps no state between evaluations. */
export interface CompiledFilter {
  /**
   * Sets `mask[i]` to 1 where row `begin + i` matches and to 0 where it does not, for the rows `begin` to `end`. Rows of columns that
   * the source does not have count as the field's default, or null. Takes time in the number of rows: give it slices.
   */
  evaluate(source: ColumnSource, begin: number, end: number, mask: Uint8Array): void
  /** True for the empty filter. */
  readonly alwaysTrue: boolean
  /** Set when the whole filter is `pk in […]` or `pk == x`: these keys, each once, and no others match. */
  readonly primaryKeys: PrimaryKeys | undefined
  /** Set when no other keys can match: as {@link primaryKeys}, or where such a test is one operand of the outermost `and`. */
  readonly primaryKeyBound: PrimaryKeys | undefined
  /** Rows, at least 1, whose evaluation takes a few milliseconds at most: a good size of a slice. */
  readonly sliceRows: number
  /** What indexes can tell: undefined where none helps. */
  readonly probe: Probe | undefined
  /** What one row costs, about, in comparisons of a column with a constant. */
  readonly cost: number
  /** The fields that evaluating reads. */
  readonly fieldIds: ReadonlySet<number>
  /** Set where the filter ends with `element_filter`: a row matches when one of its elements does, and these are the ones. */
  readonly elements?: ElementFilter | undefined
}

const MAX_SLICE_ROWS = 16_384
/** Comparisons that fit into about 3 ms. */
const SLICE_COST = 100_000

const NO_TEMPLATES: ReadonlyMap<string, TemplateValue> = new Map()

/**
 * Parses and binds a filter. Blank text matches every row.
 * @throws {FilterError} where the text is malformed or does not fit the schema.
 */
export function compileFilter(text: string, schema: CollectionSchema, templates: ReadonlyMap<string, TemplateValue> = NO_TEMPLATES): CompiledFilter {
  if (typeof text !== 'string') throw new TypeError(`expected \`text\` to be a string, got ${typeof text}`)
  if (text.length < 4096 && text.trim() === '') return ALWAYS_TRUE
  const expr = parseFilter(text)
  const scope = new Scope(text, schema, templates)
  scope.begin(expr)
  const plan = compileExpr(scope, expr)
  const primaryKeys = keysOf(scope, expr)
  const bound = primaryKeys ?? (expr.kind === 'logical' && expr.op === 'and' ? firstBound(scope, expr.operands) : undefined)
  return {
    evaluate: (source, begin, end, mask) => evaluate(plan, source, begin, end, mask),
    alwaysTrue: false,
    primaryKeys,
    primaryKeyBound: bound,
    sliceRows: Math.max(1, Math.min(MAX_SLICE_ROWS, Math.floor(SLICE_COST / Math.max(1, scope.cost)))),
    probe: plan.probe,
    cost: Math.max(1, scope.cost),
    fieldIds: scope.fieldIds,
    elements: scope.elements,
  }
}

const ALWAYS_TRUE: CompiledFilter = {
  evaluate(source, begin, end, mask) {
    checkRange(source, begin, end, mask)
    mask.fill(1, 0, end - begin)
  },
  alwaysTrue: true,
  primaryKeys: undefined,
  primaryKeyBound: undefined,
  sliceRows: MAX_SLICE_ROWS,
  probe: undefined,
  cost: 1,
  fieldIds: new Set(),
}

function evaluate(plan: Plan, source: ColumnSource, begin: number, end: number, mask: Uint8Array): void {
  checkRange(source, begin, end, mask)
  const context = new Context(source, begin, end)
  plan.run(context, mask)
  onlyTrue(mask, context.rows)
}

/** Unknown (2) becomes 0, four rows at a time where the mask is aligned. */
function onlyTrue(mask: Uint8Array, rows: number): void {
  const words = mask.byteOffset % 4 === 0 ? rows >>> 2 : 0
  const view = words === 0 ? new Uint32Array(0) : new Uint32Array(mask.buffer, mask.byteOffset, words)
  for (let i = 0; i < words; i++) view[i] = (view[i] as number) & 0x0101_0101
  for (let i = words * 4; i < rows; i++) mask[i] = (mask[i] as number) & TRUE
}

function checkRange(source: ColumnSource, begin: number, end: number, mask: Uint8Array): void {
  if (!Number.isInteger(begin) || !Number.isInteger(end) || begin < 0 || end < begin || end > source.length) {
    throw new RangeError(`expected \`begin\` and \`end\` to be rows of 0..${source.length}, got ${begin} and ${end}`)
  }
  if (mask.length < end - begin) throw new RangeError(`expected \`mask\` to hold ${end - begin} rows, got ${mask.length}`)
}

/** Scope has checked the types already: here is only the form to recognise. */
function keysOf(scope: Scope, expr: Expr): PrimaryKeys | undefined {
  const primary = scope.schema.fields.find((field) => field.isPrimary)
  if (primary === undefined) return undefined
  if (expr.kind === 'in' && !expr.negated && isPrimary(expr.left, primary)) {
    const list = scope.constant(expr.right)
    return list?.kind === 'list' ? keysFrom(primary, list.items.map((item) => (item.kind === 'scalar' ? item.value : undefined))) : undefined
  }
  if (expr.kind === 'binary' && expr.op === '==') {
    const other = isPrimary(expr.left, primary) ? expr.right : isPrimary(expr.right, primary) ? expr.left : undefined
    const constant = other === undefined ? undefined : scope.constant(other)
    return constant?.kind === 'scalar' ? keysFrom(primary, [constant.value]) : undefined
  }
  return undefined
}

function isPrimary(expr: Expr, primary: FieldSchema): boolean {
  return expr.kind === 'field' && expr.path.length === 0 && expr.name === primary.name
}

function keysFrom(primary: FieldSchema, values: readonly unknown[]): PrimaryKeys {
  if (primary.type === DataType.Int64) {
    return [...new Set(values.filter((value) => typeof value === 'bigint' && BigInt.asIntN(64, value) === value))] as bigint[]
  }
  return [...new Set(values.filter((value) => typeof value === 'string'))]
}

function firstBound(scope: Scope, operands: readonly Expr[]): PrimaryKeys | undefined {
  for (const operand of operands) {
    const keys = keysOf(scope, operand)
    if (keys !== undefined) return keys
  }
  return undefined
}

