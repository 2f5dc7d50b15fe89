/** `text_match` and `phrase_match`: words of VarChar fields, by the analyzer of the field. */
import { isNull, type StringColumn, textAt } from '../model/column.ts'
import { DataType, type FieldSchema } from '../model/schema.ts'
import { type Analyzer, fieldAnalyzer, hasFlag, phraseQuery, termQuery, type TextQuery, wordIndexOf } from '../text/index.ts'
import type { CallExpr, Expr } from './ast.ts'
import type { Scope } from './bind.ts'
import { FALSE, rowPlan, TRUE, UNKNOWN } from './plan.ts'
import type { Plan } from './plan.ts'

/** Milvus's bounds. */
const MAX_SHOULD_MATCH = 1000
const MAX_SLOP = 0xffff_ffff
/** Analyzing a text costs about as much as comparing so many columns with a constant; so does each of so many of its bytes. */
const TEXT_COST = 200
const BYTES_PER_COST = 8
const MAX_PHRASE_WORDS = 256

export function textMatchPlan(scope: Scope, expr: CallExpr): Plan {
  const { field, query } = textArguments(scope, expr, 'text match', 'minimum_should_match')
  const minimum = integerArgument(scope, expr, 'minimum_should_match') ?? 1n
  if (minimum < 1n || minimum > MAX_SHOULD_MATCH) throw scope.fail(`minimum_should_match should be in range [1, ${MAX_SHOULD_MATCH}], got ${minimum}`, expr)
  const analyzer = fieldAnalyzer(field)
  return textPlan(scope, field, analyzer, termQuery(analyzer, query, Number(minimum)), 1)
}

export function phraseMatchPlan(scope: Scope, expr: CallExpr): Plan {
  const { field, query } = textArguments(scope, expr, 'phrase match', 'slop')
  const slop = integerArgument(scope, expr, 'slop') ?? 0n
  if (slop < 0n) throw scope.fail(`"slop" should not be a negative interger. "slop" passed: ${slop}`, expr)
  if (slop > MAX_SLOP) throw scope.fail(`"slop" exceeds the range of uint32. "slop" passed: ${slop}`, expr)
  const analyzer = fieldAnalyzer(field)
  const words = analyzer.analyze(query).length
  if (words > MAX_PHRASE_WORDS) throw scope.fail(`a phrase has at most ${MAX_PHRASE_WORDS} words, got ${words}`, expr)
  return textPlan(scope, field, analyzer, phraseQuery(analyzer, query, Number(slop)), Math.max(1, words))
}

function textArguments(scope: Scope, expr: CallExpr, what: string, option: string): { field: FieldSchema; query: string } {
  const [target, query, third] = expr.args
  const isNamed = target?.argument !== undefined || query?.argument !== undefined || (third?.argument ?? option) !== option
  if (target?.kind !== 'field' || query === undefined || expr.args.length > 3 || isNamed) throw scope.fail(`${expr.name} takes a field, a string and ${option}`, expr)
  const operand = scope.field(target)
  if (operand.kind !== 'column' || operand.field.type !== DataType.VarChar) throw scope.fail(`${what} operation on non-string is unsupported`, target)
  const { field } = operand
  if (!hasFlag(field, 'enable_match')) throw scope.fail(`field "${field.name}" does not enable match`, target)
  const constant = scope.constant(query)
  if (constant?.kind !== 'scalar' || typeof constant.value !== 'string') throw scope.fail(`${expr.name} takes a string to look for`, query)
  return { field, query: constant.value }
}

function integerArgument(scope: Scope, expr: CallExpr, name: string): bigint | undefined {
  const given: Expr | undefined = expr.args[2]
  if (given === undefined) return undefined
  const constant = scope.constant(given)
  if (constant?.kind !== 'scalar' || typeof constant.value !== 'bigint') throw scope.fail(`${name} must be an integer`, given)
  return constant.value
}

function textPlan(scope: Scope, field: FieldSchema, analyzer: Analyzer, query: TextQuery, times: number): Plan {
  // As long as texts may be: what is between two turns of the event loop is bounded by it.
  scope.cost += Math.max(TEXT_COST, (field.maxLength ?? 0) / BYTES_PER_COST) * times
  return rowPlan((context) => {
    const { column, base } = context.slot(field)
    if (column.kind !== 'string') throw new Error(`field ${field.name} has a column of kind ${column.kind}`)
    const test = rowTest(column, analyzer, query, base, base + context.rows)
    return (row) => (isNull(column, base + row) ? UNKNOWN : test(base + row) ? TRUE : FALSE)
  })
}

function rowTest(column: StringColumn, analyzer: Analyzer, query: TextQuery, begin: number, end: number): (row: number) => boolean {
  const byText = (row: number): boolean => query.test(textAt(column, row))
  const index = wordIndexOf(column, analyzer)
  index?.extend(column, analyzer, begin, end)
  if (index?.has(end) !== true) return byText
  const byWords = index.search(query.words, query.minimum)
  return query.isWordsOnly ? byWords : (row) => byWords(row) && byText(row)
}
