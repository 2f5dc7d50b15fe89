/** Comparisons: `a < 1`, `1 < a <= 5`, `a < b`, with the casts that the field's type allows. */
import { DataType } from '../model/schema.ts'
import type { BinaryExpr, CompareOperator, Expr, RangeExpr } from './ast.ts'
import { describeOperand, isFloatType, isIntegerType, isNumeric, isStringType, isUncomparable, operandType } from './bind.ts'
import type { FieldOperand, Operand, Scope } from './bind.ts'
import { describeConstant, holds } from './constants.ts'
import type { Constant } from './constants.ts'
import { jsonEqualsPlan, jsonListEqualsPlan } from './json-plans.ts'
import { probedCompare } from './json-probes.ts'
import { arrayEqualsPlan } from './array-plans.ts'
import { compareValues } from './order.ts'
import type { Value } from './order.ts'
import { FALSE, logicalPlan, notPlan, rowPlan, TRUE, UNKNOWN } from './plan.ts'
import type { Plan } from './plan.ts'
import { int64ComparePlan } from './plan-int64.ts'
import { numberRangeOf, numberRangePlan } from './plan-number.ts'
import { stringComparePlan } from './plan-string.ts'
import { prepareArithmetic, prepareField, prepareLength, prepareShiftedTime } from './readers.ts'
import type { Prepare } from './readers.ts'

const FLIPPED: Readonly<Record<CompareOperator, CompareOperator>> = { '<': '>', '<=': '>=', '>': '<', '>=': '<=', '==': '==', '!=': '!=' }

export function compileCompare(scope: Scope, expr: BinaryExpr, op: CompareOperator): Plan {
  const left = scope.operand(expr.left)
  const right = scope.operand(expr.right)
  if (left.kind === 'constant' && right.kind === 'constant') throw scope.fail('a comparison needs a field', expr)
  if (left.kind === 'constant') return compareConstant(scope, right, FLIPPED[op], left.constant, expr.left, expr)
  if (right.kind === 'constant') return compareConstant(scope, left, op, right.constant, expr.right, expr)
  return compareColumns(scope, left, right, op, expr)
}

export function compileRange(scope: Scope, expr: RangeExpr): Plan {
  const operand = scope.field(expr.field)
  const low = boundOf(scope, expr.low)
  const high = boundOf(scope, expr.high)
  return logicalPlan('and', [
    compareConstant(scope, operand, expr.lowInclusive ? '>=' : '>', low, expr.low, expr),
    compareConstant(scope, operand, expr.highInclusive ? '<=' : '<', high, expr.high, expr),
  ])
}

function boundOf(scope: Scope, expr: Expr): Constant {
  const constant = scope.constant(expr)
  if (constant === undefined) throw scope.fail('the bounds of a range must be constants', expr)
  return constant
}

function compareConstant(scope: Scope, operand: Operand, op: CompareOperator, constant: Constant, at: Expr, whole: Expr): Plan {
  switch (operand.kind) {
    case 'constant':
      throw scope.fail('a comparison needs a field', whole)
    case 'column':
      return compareColumn(scope, operand, op, constant, at, whole)
    case 'json':
      return compareJson(scope, operand, op, constant, at)
    case 'element':
      return rowCompare(prepareField(operand), op, castConstant(scope, operand, op, constant, at))
    case 'arithmetic': {
      const { value } = constant.kind === 'scalar' ? constant : { value: undefined }
      if (typeof value !== 'bigint' && typeof value !== 'number') throw scope.fail(`arithmetic is compared with a number, not with ${describeConstant(constant)}`, at)
      const isInteger = isIntegerType(operandType(operand.operand)) && typeof operand.constant === 'bigint'
      if (isInteger && typeof value === 'number') throw scope.fail(cannotCast(constant, operand.operand), at)
      return rowCompare(prepareArithmetic(operand), op, value)
    }
    case 'length':
      if (constant.kind !== 'scalar' || typeof constant.value !== 'bigint') throw scope.fail('array_length is compared with an integer', at)
      return rowCompare(prepareLength(operand), op, constant.value)
    case 'shifted-time':
      if (constant.kind !== 'time') throw scope.fail("a Timestamptz field is compared with ISO '…'", at)
      if (operand.interval.months !== 0) return rowCompare(prepareShiftedTime(operand), op, constant.micros)
      return int64ComparePlan(operand.field, op, constant.micros - operand.interval.micros * BigInt(operand.sign))
  }
}

function compareColumn(scope: Scope, operand: FieldOperand & { kind: 'column' }, op: CompareOperator, constant: Constant, at: Expr, whole: Expr): Plan {
  const { field } = operand
  if (field.type === DataType.JSON) throw scope.fail(`can not comparisons jsonField directly: name a key of ${field.name}`, whole, `write \`${field.name}["key"]\``)
  if (field.type === DataType.Array) {
    if (constant.kind !== 'list' || (op !== '==' && op !== '!=')) throw scope.fail(`array field ${field.name} is compared whole with a list by == and != only`, at)
    const items = constant.items.map((item) => castConstant(scope, { kind: 'element', field, index: 0 }, '==', item, at))
    return op === '==' ? arrayEqualsPlan(field, items) : notPlan(arrayEqualsPlan(field, items))
  }
  const value = castConstant(scope, operand, op, constant, at)
  if (typeof value === 'string') return stringComparePlan(field, op, value)
  if (typeof value === 'bigint' && (field.type === DataType.Int64 || field.type === DataType.Timestamptz)) return int64ComparePlan(field, op, value)
  return numberRangePlan(field, numberRangeOf(op, Number(value)))
}

function compareJson(scope: Scope, operand: FieldOperand & { kind: 'json' }, op: CompareOperator, constant: Constant, at: Expr): Plan {
  if (constant.kind === 'list' && (op === '==' || op === '!=')) {
    const plan = jsonListEqualsPlan(operand, constant)
    return op === '==' ? plan : notPlan(plan)
  }
  if (constant.kind !== 'scalar') throw scope.fail(`a JSON value is not compared so with ${describeConstant(constant)}`, at)
  if (typeof constant.value === 'boolean') rejectBoolOrder(scope, op, at)
  if (typeof constant.value === 'string' && (op === '==' || op === '!=')) {
    const plan = jsonEqualsPlan(operand, constant.value)
    return op === '==' ? probedCompare(plan, operand, op, constant.value) : notPlan(plan)
  }
  return probedCompare(rowCompare(prepareField(operand), op, constant.value), operand, op, constant.value)
}

function rowCompare(prepare: Prepare, op: CompareOperator, constant: Value): Plan {
  return rowPlan((context) => {
    const read = prepare(context)
    return (row) => {
      const value = read(row)
      const order = value === undefined ? undefined : compareValues(value, constant)
      return order === undefined ? UNKNOWN : holds(op, order) ? TRUE : FALSE
    }
  })
}

function compareColumns(scope: Scope, left: Operand, right: Operand, op: CompareOperator, expr: BinaryExpr): Plan {
  if (!isField(left) || !isField(right)) throw scope.fail('two fields are compared as they are, without arithmetic', expr)
  const a = operandType(left)
  const b = operandType(right)
  const isSame = (isNumeric(a) && isNumeric(b)) || (isStringType(a) && isStringType(b)) || (a === b && (a === DataType.Bool || a === DataType.Timestamptz))
  if (a === DataType.JSON || b === DataType.JSON || !isSame) throw scope.fail(`comparisons between ${describeOperand(left)} and ${describeOperand(right)} are not supported`, expr)
  if (a === DataType.Bool) rejectBoolOrder(scope, op, expr)
  const prepareLeft = prepareField(left)
  const prepareRight = prepareField(right)
  return rowPlan((context) => {
    const readLeft = prepareLeft(context)
    const readRight = prepareRight(context)
    return (row) => {
      const x = readLeft(row)
      const y = readRight(row)
      const order = x === undefined || y === undefined ? undefined : compareValues(x, y)
      return order === undefined ? UNKNOWN : holds(op, order) ? TRUE : FALSE
    }
  })
}

function isField(operand: Operand): operand is FieldOperand {
  return operand.kind === 'column' || operand.kind === 'json' || operand.kind === 'element'
}

function rejectBoolOrder(scope: Scope, op: CompareOperator, at: Expr): void {
  if (op !== '==' && op !== '!=') throw scope.fail('bools are compared by == and != only', at)
}

function cannotCast(constant: Constant, operand: FieldOperand): string {
  return `cannot cast value: ${describeConstant(constant)} to ${describeOperand(operand)}`
}

/** The constant as the column's values compare with it: Milvus promotes integers to floats, and nothing else. */
export function castConstant(scope: Scope, operand: FieldOperand, op: CompareOperator, constant: Constant, at: Expr): Value {
  const type = operandType(operand)
  const fail = (hint?: string) => scope.fail(cannotCast(constant, operand), at, hint)
  if (isUncomparable(type)) throw scope.fail(`${describeOperand(operand)} cannot be compared`, at)
  if (type === DataType.Timestamptz) {
    if (constant.kind !== 'time') throw fail("write ISO '2025-01-01T00:00:00Z'")
    return constant.micros
  }
  if (constant.kind !== 'scalar') throw fail()
  const { value } = constant
  if (type === DataType.Bool && typeof value === 'boolean') {
    rejectBoolOrder(scope, op, at)
    return value
  }
  if (isStringType(type) && typeof value === 'string') return value
  if (isIntegerType(type) && typeof value === 'bigint') return value
  if (isFloatType(type) && (typeof value === 'bigint' || typeof value === 'number')) {
    return type === DataType.Float ? Math.fround(Number(value)) : Number(value)
  }
  throw fail()
}
