/** Expressions to plans: conditions, sets, patterns and functions. Walks at most 200 levels (see ast.ts). */
import { DataType, dataTypeName, isVectorType } from '../model/schema.ts'
import type { CallExpr, ExistsExpr, Expr, InExpr, IsNullExpr, MatchExpr, UnaryExpr } from './ast.ts'
import { arrayContainsPlan } from './array-plans.ts'
import type { Quantity } from './array-plans.ts'
import { describeOperand, isStringType, lowerName, operandType } from './bind.ts'
import type { FieldOperand, Scope } from './bind.ts'
import { castConstant, compileCompare, compileRange } from './compare.ts'
import { describeConstant, isCompare } from './constants.ts'
import type { Constant } from './constants.ts'
import { geometryPlan, isGeometryCall } from './geometry-plans.ts'
import { gatherSets } from './gather.ts'
import { elementPlan, isElementCall } from './element-plans.ts'
import { probedContains, probedLike, probedSet } from './json-probes.ts'
import { existsPlan, jsonContainsPlan, jsonLikePlan, jsonSetPlan } from './json-plans.ts'
import { createLikeMatcher } from './like.ts'
import { plainValue } from './order.ts'
import type { Value } from './order.ts'
import { constantPlan, FALSE, logicalPlan, notPlan, nullPlan, rowPlan, TRUE, UNKNOWN } from './plan.ts'
import type { Plan } from './plan.ts'
import { int64SetPlan } from './plan-int64.ts'
import { numberRangeOf, numberRangePlan, numberSetPlan } from './plan-number.ts'
import { stringLikePlan, stringSetPlan } from './plan-string.ts'
import { prepareField } from './readers.ts'
import { phraseMatchPlan, textMatchPlan } from './text-plans.ts'

const UNSUPPORTED = new Set([
  'text_match_fuzzy', 'random_sample',
])

export function compileExpr(scope: Scope, expr: Expr): Plan {
  switch (expr.kind) {
    case 'logical':
      return logicalPlan(expr.op, gatherSets(expr, scope.schema).map((operand) => compileExpr(scope, operand)))
    case 'binary':
      if (isCompare(expr.op)) {
        const constant = scope.constant(expr)
        return constant === undefined ? compileCompare(scope, expr, expr.op) : compileConstant(scope, expr, constant)
      }
      throw scope.fail('predicate is not a boolean expression', expr)
    case 'range':
      return compileRange(scope, expr)
    case 'in':
      return compileIn(scope, expr)
    case 'match':
      return compileMatch(scope, expr)
    case 'unary':
      return compileUnary(scope, expr)
    case 'exists':
      return compileExists(scope, expr)
    case 'is-null':
      return compileIsNull(scope, expr)
    case 'call':
      return compileCall(scope, expr)
    case 'field': {
      const operand = scope.field(expr)
      if (operand.kind === 'column' && operand.field.type === DataType.Bool) return numberRangePlan(operand.field, numberRangeOf('==', 1))
      throw scope.fail(`predicate is not a boolean expression: ${describeOperand(operand)}`, expr)
    }
    default:
      return compileConstant(scope, expr, scope.constant(expr))
  }
}

function compileConstant(scope: Scope, expr: Expr, constant: Constant | undefined): Plan {
  if (constant?.kind === 'scalar' && typeof constant.value === 'boolean') return constantPlan(constant.value ? TRUE : FALSE)
  throw scope.fail(`predicate is not a boolean expression${constant === undefined ? '' : `: ${describeConstant(constant)}`}`, expr)
}

function compileUnary(scope: Scope, expr: UnaryExpr): Plan {
  if (expr.op !== 'not') throw scope.fail('predicate is not a boolean expression', expr)
  return notPlan(compileExpr(scope, expr.operand))
}

function compileExists(scope: Scope, expr: ExistsExpr): Plan {
  const operand = expr.operand.kind === 'field' ? scope.field(expr.operand) : undefined
  if (operand?.kind !== 'json') throw scope.fail('exists operations are only supported on a key of a JSON field', expr)
  return existsPlan(operand, true)
}

function compileIsNull(scope: Scope, expr: IsNullExpr): Plan {
  const operand = scope.field(expr.field)
  if (operand.kind === 'json') return existsPlan(operand, expr.negated)
  if (operand.kind === 'element') throw scope.fail('is null does not apply to an element of an array', expr)
  if (isVectorType(operand.field.type)) throw scope.fail(`is null does not apply to field ${operand.field.name} of type ${dataTypeName(operand.field.type)}`, expr)
  return nullPlan(operand.field, expr.negated)
}

function compileIn(scope: Scope, expr: InExpr): Plan {
  const list = scope.constant(expr.right)
  if (list?.kind !== 'list') throw scope.fail('the right side of `in` must be a list or a template', expr.right)
  if (expr.left.kind !== 'field') throw scope.fail('the left side of `in` must be a single field', expr.left)
  const plan = setPlan(scope, scope.field(expr.left), list.items, expr)
  return expr.negated ? notPlan(plan) : plan
}

function setPlan(scope: Scope, operand: FieldOperand, items: readonly Constant[], expr: InExpr): Plan {
  const itemAt = (index: number) => (expr.right.kind === 'list' ? (expr.right.items[index] ?? expr.right) : expr.right)
  if (operand.kind === 'json') {
    const values = items.map((item, i) => scalarOf(scope, item, itemAt(i)))
    return probedSet(jsonSetPlan(operand, values), operand, values)
  }
  const { field } = operand
  const type = operandType(operand)
  if (operand.kind === 'column' && (type === DataType.JSON || type === DataType.Array)) throw scope.fail(`${describeOperand(operand)} cannot stand left of \`in\``, expr)
  const values = items.map((item, i) => castConstant(scope, operand, '==', item, itemAt(i)))
  if (operand.kind === 'element') return elementSetPlan(operand, values)
  if (isStringType(type)) return stringSetPlan(field, values.filter((value) => typeof value === 'string'))
  if (type === DataType.Int64 || type === DataType.Timestamptz) return int64SetPlan(field, values.filter((value) => typeof value === 'bigint'))
  return numberSetPlan(field, new Set(values.map(Number)))
}

function scalarOf(scope: Scope, constant: Constant, at: Expr): Value {
  if (constant.kind !== 'scalar') throw scope.fail(`${describeConstant(constant)} cannot stand in this list`, at)
  return constant.value
}

function elementSetPlan(operand: FieldOperand, values: readonly Value[]): Plan {
  const prepare = prepareField(operand)
  const set = new Set(values.map(plainValue))
  return rowPlan((context) => {
    const read = prepare(context)
    return (row) => {
      const value = read(row)
      return value === undefined ? UNKNOWN : set.has(plainValue(value)) ? TRUE : FALSE
    }
  })
}

function compileMatch(scope: Scope, expr: MatchExpr): Plan {
  if (expr.op !== 'like') throw scope.fail(`\`${expr.op}\` is not supported yet`, expr, 'use `like`')
  if (expr.left.kind !== 'field') throw scope.fail('the left side of `like` must be a field', expr.left)
  const operand = scope.field(expr.left)
  const pattern = scope.constant(expr.right)
  if (pattern?.kind !== 'scalar' || typeof pattern.value !== 'string') throw scope.fail('the pattern of `like` must be a string', expr.right)
  const like = createLikeMatcher(pattern.value)
  if (operand.kind === 'json') return probedLike(jsonLikePlan(operand, like), operand, like)
  if (!isStringType(operandType(operand))) throw scope.fail(`like operation on complicated expr or on ${describeOperand(operand)} is unsupported`, expr)
  if (operand.kind === 'column') return stringLikePlan(operand.field, like)
  const prepare = prepareField(operand)
  const encoder = new TextEncoder()
  return rowPlan((context) => {
    const read = prepare(context)
    return (row) => {
      const value = read(row)
      if (typeof value !== 'string') return UNKNOWN
      const bytes = encoder.encode(value)
      return like.matches(bytes, 0, bytes.length) ? TRUE : FALSE
    }
  })
}

const CONTAINS = /^(?:json|array)_contains(_all|_any)?$/
const KNOWN = /^(?:(?:json|array)_contains(?:_all|_any)?|text_match|phrase_match|element_filter|match_(?:all|any|least|most|exact))$/

function compileCall(scope: Scope, expr: CallExpr): Plan {
  const name = lowerName(expr.name)
  const contains = CONTAINS.exec(name)
  if (contains !== null) return compileContains(scope, expr, contains[1] === '_all' ? 'all' : contains[1] === '_any' ? 'any' : undefined)
  if (name === 'text_match') return textMatchPlan(scope, expr)
  if (name === 'phrase_match') return phraseMatchPlan(scope, expr)
  if (isGeometryCall(name)) return geometryPlan(scope, expr, name)
  if (isElementCall(name)) return compileElements(scope, expr, name)
  if (UNSUPPORTED.has(name)) throw scope.fail(`${name} is not supported yet`, expr)
  if (name === 'array_length') throw scope.fail('predicate is not a boolean expression: compare array_length with an integer', expr)
  const hint = KNOWN.test(expr.name.toLowerCase()) || isGeometryCall(expr.name.toLowerCase()) || UNSUPPORTED.has(expr.name.toLowerCase()) ? `did you mean \`${expr.name.toLowerCase()}\`?` : undefined
  throw scope.fail(`function ${expr.name} not found`, expr, hint)
}

function compileElements(scope: Scope, expr: CallExpr, name: string): Plan {
  const { plan, elements } = elementPlan(scope, expr, name, compileExpr)
  if (name !== 'element_filter') return plan
  if (!scope.takesElements(expr)) throw scope.fail('element_filter can only be the last term of a filter, behind `and`', expr)
  scope.elements = elements
  return plan
}

function compileContains(scope: Scope, expr: CallExpr, quantity: Quantity | undefined): Plan {
  const [target, argument] = expr.args
  if (target?.kind !== 'field' || argument === undefined || expr.args.length !== 2) throw scope.fail(`${expr.name} takes a field and a value`, expr)
  const operand = scope.field(target)
  const constant = scope.constant(argument)
  if (constant === undefined) throw scope.fail(`${expr.name} takes a constant as its second argument`, argument)
  if (quantity !== undefined && constant.kind !== 'list') throw scope.fail(`${expr.name} takes a list as its second argument`, argument)
  const items = quantity !== undefined && constant.kind === 'list' ? constant.items : [constant]
  scope.cost += 10 + items.length
  if (operand.kind === 'column' && operand.field.type === DataType.Array) {
    const values = items.map((item) => castConstant(scope, { kind: 'element', field: operand.field, index: 0 }, '==', item, argument))
    return arrayContainsPlan(operand.field, values, quantity ?? 'any')
  }
  if (operand.kind === 'element' || (operand.kind === 'column' && operand.field.type !== DataType.JSON)) {
    throw scope.fail(`${expr.name} operation are only supported on json or array fields, not on ${describeOperand(operand)}`, expr)
  }
  if (items.some((item) => item.kind === 'time' || item.kind === 'interval')) throw scope.fail(`${expr.name} takes bools, numbers, strings and lists`, argument)
  const plan = jsonContainsPlan(operand, items, quantity ?? 'any')
  return operand.kind === 'json' ? probedContains(plan, operand, items, quantity ?? 'any') : plan
}
