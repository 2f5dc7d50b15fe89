/** The constant parts of a filter: literals, templates, and arithmetic among them. */
import type { Interval } from '../codec/timestamptz.ts'
import type { ArithmeticOperator, BinaryExpr, CompareOperator, Expr, Scalar, UnaryExpr } from './ast.ts'
import { FilterError } from './errors.ts'
import { compareValues } from './order.ts'
import type { TemplateValue } from './templates.ts'

export type Constant =
  | { readonly kind: 'scalar'; readonly value: Scalar; readonly templated: boolean }
  | { readonly kind: 'time'; readonly micros: bigint; readonly templated: boolean }
  | { readonly kind: 'interval'; readonly interval: Interval; readonly templated: boolean }
  | { readonly kind: 'list'; readonly items: readonly Constant[]; readonly templated: boolean }

export interface ConstantScope {
  readonly text: string
  readonly templates: ReadonlyMap<string, TemplateValue>
}

const MAX_EXPONENT = 1023n

/** The constant that `expr` is, or undefined where it names a field. */
export function constantOf(expr: Expr, scope: ConstantScope): Constant | undefined {
  switch (expr.kind) {
    case 'literal':
      return scalar(expr.value, false)
    case 'iso':
      return { kind: 'time', micros: expr.micros, templated: false }
    case 'interval':
      return { kind: 'interval', interval: expr.interval, templated: false }
    case 'template':
      return templateConstant(expr.name, expr.offset, scope)
    case 'list':
      return { kind: 'list', templated: false, items: expr.items.map((item) => listItem(item, scope)) }
    case 'unary':
      return unaryConstant(expr, scope)
    case 'binary':
      return binaryConstant(expr, scope)
    default:
      return undefined
  }
}

function listItem(item: Expr, scope: ConstantScope): Constant {
  const constant = constantOf(item, scope)
  if (constant === undefined) throw new FilterError('type', 'a list holds constants only', scope.text, item.offset)
  return constant
}

function scalar(value: Scalar, templated: boolean): Constant {
  return { kind: 'scalar', value, templated }
}

function templateConstant(name: string, offset: number, scope: ConstantScope): Constant {
  const value = scope.templates.get(name)
  if (value === undefined) throw new FilterError('type', `the value of expression template variable name {${name}} is not found`, scope.text, offset)
  return fromTemplate(value, offset, scope.text, 0)
}

function fromTemplate(value: TemplateValue, offset: number, text: string, depth: number): Constant {
  if (depth > 16) throw new FilterError('type', 'the template value is nested too deep', text, offset)
  if (value instanceof Uint8Array) throw new FilterError('type', 'template values of bytes are not supported yet', text, offset)
  if (typeof value === 'object') {
    return { kind: 'list', templated: true, items: value.map((item) => fromTemplate(item, offset, text, depth + 1)) }
  }
  if (typeof value === 'number' && !Number.isFinite(value)) throw new FilterError('type', 'a template value is NaN or infinite', text, offset)
  return scalar(value, true)
}

function unaryConstant(expr: UnaryExpr, scope: ConstantScope): Constant | undefined {
  const operand = constantOf(expr.operand, scope)
  if (operand === undefined) return undefined
  const value = operand.kind === 'scalar' ? operand.value : undefined
  if (expr.op === 'not' && typeof value === 'boolean') return scalar(!value, operand.templated)
  if (expr.op === '-' && (typeof value === 'bigint' || typeof value === 'number')) return scalar(-value, operand.templated)
  if (expr.op === '+' && (typeof value === 'bigint' || typeof value === 'number')) return scalar(value, operand.templated)
  if (expr.op === '~' && typeof value === 'bigint') return scalar(~value, operand.templated)
  throw new FilterError('type', `\`${expr.op}\` does not apply to ${describeConstant(operand)}`, scope.text, expr.offset)
}

function binaryConstant(expr: BinaryExpr, scope: ConstantScope): Constant | undefined {
  const left = constantOf(expr.left, scope)
  if (left === undefined) return undefined
  const right = constantOf(expr.right, scope)
  if (right === undefined) return undefined
  const templated = left.templated || right.templated
  const fail = (reason: string) => new FilterError('type', reason, scope.text, expr.offset)
  if (left.kind !== 'scalar' || right.kind !== 'scalar') throw fail(`\`${expr.op}\` does not apply to ${describeConstant(left)} and ${describeConstant(right)}`)
  if (isCompare(expr.op)) {
    if (templated) throw fail('a comparison of two constants cannot hold a template')
    const order = compareValues(left.value, right.value)
    if (order === undefined) throw fail(`${describeConstant(left)} and ${describeConstant(right)} are not comparable`)
    return scalar(holds(expr.op, order), false)
  }
  const value = arithmetic(expr.op, left.value, right.value)
  if (value === undefined) throw fail(`\`${expr.op}\` does not apply to ${describeConstant(left)} and ${describeConstant(right)}`)
  if (value === 'zero') throw fail('division by zero')
  return scalar(value, templated)
}

export function isCompare(op: ArithmeticOperator | CompareOperator): op is CompareOperator {
  return op === '==' || op === '!=' || op === '<' || op === '<=' || op === '>' || op === '>='
}

export function holds(op: CompareOperator, order: number): boolean {
  switch (op) {
    case '==':
      return order === 0
    case '!=':
      return order !== 0
    case '<':
      return order < 0
    case '<=':
      return order <= 0
    case '>':
      return order > 0
    case '>=':
      return order >= 0
  }
}

/** Integers stay integers (C's division and remainder); undefined where the operator does not fit, 'zero' for a division by it. */
function arithmetic(op: ArithmeticOperator, a: Scalar, b: Scalar): bigint | number | undefined | 'zero' {
  if (typeof a === 'bigint' && typeof b === 'bigint') return integerArithmetic(op, a, b)
  if ((typeof a !== 'bigint' && typeof a !== 'number') || (typeof b !== 'bigint' && typeof b !== 'number')) return undefined
  const x = Number(a)
  const y = Number(b)
  if (op === '/' && y === 0) return 'zero'
  const value = op === '+' ? x + y : op === '-' ? x - y : op === '*' ? x * y : op === '/' ? x / y : op === '**' ? x ** y : NaN
  return Number.isFinite(value) ? value : undefined
}

function integerArithmetic(op: ArithmeticOperator, a: bigint, b: bigint): bigint | number | undefined | 'zero' {
  switch (op) {
    case '+':
      return bounded(a + b)
    case '-':
      return bounded(a - b)
    case '*':
      return bounded(a * b)
    case '/':
      return b === 0n ? 'zero' : a / b
    case '%':
      return b === 0n ? 'zero' : a % b
    case '&':
      return a & b
    case '|':
      return a | b
    case '^':
      return a ^ b
    case '<<':
      return b < 0n || b > 63n ? undefined : bounded(a << b)
    case '>>':
      return b < 0n || b > 63n ? undefined : a >> b
    case '**':
      return power(a, b)
  }
}

function power(a: bigint, b: bigint): bigint | number | undefined {
  if (b < 0n || b > MAX_EXPONENT) {
    const value = Number(a) ** Number(b)
    return Number.isFinite(value) ? value : undefined
  }
  // Unless the base is -1, 0 or 1, more than 64 squarings do not fit anyway.
  if (b > 64n && a !== 0n && a !== 1n && a !== -1n) return undefined
  return bounded(a ** b)
}

/** Constants beyond 128 bits fit no type, and growing them is quadratic. */
function bounded(value: bigint): bigint | undefined {
  return BigInt.asIntN(128, value) === value ? value : undefined
}

export function describeConstant(constant: Constant): string {
  if (constant.kind === 'list') return 'a list'
  if (constant.kind === 'time') return 'a time'
  if (constant.kind === 'interval') return 'an interval'
  const { value } = constant
  if (typeof value === 'string') return `string ${JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value)}`
  const type = typeof value === 'bigint' ? 'integer' : typeof value === 'number' ? 'float' : 'bool'
  return `${type} ${value.toString().slice(0, 40)}`
}
