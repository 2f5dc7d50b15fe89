/** Names to fields: what each operand of a filter stands for in a collection. */
import type { Interval } from '../codec/timestamptz.ts'
import { DataType, dataTypeName, dynamicField, DYNAMIC_FIELD_NAME, isVectorType } from '../model/schema.ts'
import type { CollectionSchema, FieldSchema } from '../model/schema.ts'
import { findStruct, isListType, subFields } from '../model/structs.ts'
import type { BinaryExpr, CallExpr, Expr, FieldExpr } from './ast.ts'
import { constantOf, describeConstant } from './constants.ts'
import type { Constant } from './constants.ts'
import { FilterError } from './errors.ts'
import { nearestNames } from './nearest.ts'
import type { ElementFilter } from './plan.ts'
import type { TemplateValue } from './templates.ts'

export interface ColumnOperand {
  readonly kind: 'column'
  readonly field: FieldSchema
}
export interface JsonOperand {
  readonly kind: 'json'
  readonly field: FieldSchema
  readonly path: readonly (string | number)[]
}
export interface ElementOperand {
  readonly kind: 'element'
  readonly field: FieldSchema
  readonly index: number
}
export type FieldOperand = ColumnOperand | JsonOperand | ElementOperand
export interface ArithmeticOperand {
  readonly kind: 'arithmetic'
  readonly op: '+' | '-' | '*' | '/' | '%'
  readonly operand: FieldOperand
  readonly constant: bigint | number
}
export interface LengthOperand {
  readonly kind: 'length'
  readonly of: ColumnOperand | JsonOperand
}
export interface ShiftedTimeOperand {
  readonly kind: 'shifted-time'
  readonly field: FieldSchema
  readonly interval: Interval
  readonly sign: 1 | -1
}
export type Operand = FieldOperand | ArithmeticOperand | LengthOperand | ShiftedTimeOperand | { readonly kind: 'constant'; readonly constant: Constant }

/** All that compiling one filter needs to know; `fieldIds` gathers what it reads. */
export class Scope {
  readonly text: string
  readonly schema: CollectionSchema
  readonly templates: ReadonlyMap<string, TemplateValue>
  readonly fieldIds = new Set<number>()
  /** What one row costs, about, in comparisons of a column with a constant. */
  cost = 0
  /** Set where the filter names elements. */
  elements: ElementFilter | undefined
  #lastTerm: Expr | undefined
  readonly #fields: ReadonlyMap<string, FieldSchema>

  constructor(text: string, schema: CollectionSchema, templates: ReadonlyMap<string, TemplateValue>) {
    this.text = text
    this.schema = schema
    this.templates = templates
    this.#fields = new Map(schema.fields.filter((field) => !field.isDynamic).map((field) => [field.name, field]))
  }

  fail(reason: string, at: { readonly offset: number }, hint?: string): FilterError {
    return new FilterError('type', reason, this.text, at.offset, hint)
  }

  /** @param whole the filter: its last term, or all of it where there is one, may be an `element_filter` */
  begin(whole: Expr): void {
    this.#lastTerm = whole.kind === 'logical' && whole.op === 'and' ? whole.operands.at(-1) : whole
  }

  takesElements(expr: Expr): boolean {
    return this.#lastTerm === expr
  }

  constant(expr: Expr): Constant | undefined {
    return constantOf(expr, this)
  }

  field(expr: FieldExpr): FieldOperand {
    const operand = this.#bind(expr)
    this.fieldIds.add(operand.field.id)
    this.cost += operand.kind === 'column' ? 1 : 10
    return operand
  }

  #bind(expr: FieldExpr): FieldOperand {
    const { name, path } = expr
    const field = this.#fields.get(name)
    if (field === undefined) return this.#bindOther(expr)
    const [index] = path
    if (index === undefined) return { kind: 'column', field }
    if (field.type === DataType.JSON) return { kind: 'json', field, path }
    if (field.type !== DataType.Array) throw this.fail(`field ${name} is of type ${dataTypeName(field.type)} and has no nested keys`, expr)
    if (typeof index !== 'number' || path.length > 1) throw this.fail(`array field ${name} takes one integer index`, expr)
    return { kind: 'element', field, index }
  }

  #bindOther(expr: FieldExpr): FieldOperand {
    const { name } = expr
    if (name.startsWith('$') && name !== DYNAMIC_FIELD_NAME && !this.#fields.has('$') && ![...this.#fields.keys()].some((known) => known.startsWith('$['))) {
      throw this.fail(`\`${name}\` stands for an element: only in element_filter, match_any and their kin`, expr)
    }
    if (findStruct(this.schema, name) !== undefined) throw this.fail(`field ${name} is an array of structs`, expr, `write \`${subFields(this.schema, name)[0]?.name ?? name}\`, or a condition on its elements: \`match_any(${name}, …)\``)
    if (name.includes('[')) throw this.fail(`field ${name} not exist`, expr)
    return this.#bindDynamic(expr)
  }

  #bindDynamic(expr: FieldExpr): FieldOperand {
    const { name, path } = expr
    const dynamic = dynamicField(this.schema)
    if (dynamic !== undefined && name === DYNAMIC_FIELD_NAME) return path.length === 0 ? { kind: 'column', field: dynamic } : { kind: 'json', field: dynamic, path }
    if (dynamic !== undefined) return { kind: 'json', field: dynamic, path: [name, ...path] }
    const near = nearestNames(name, [...this.#fields.keys()], 2)
    const hint = near.length === 0 ? undefined : `did you mean ${near.map((candidate) => `\`${candidate}\``).join(' or ')}?`
    throw this.fail(`field ${name} not exist`, expr, hint)
  }

  operand(expr: Expr): Operand {
    const constant = this.constant(expr)
    if (constant !== undefined) return { kind: 'constant', constant }
    if (expr.kind === 'field') return this.field(expr)
    if (expr.kind === 'call') return this.#call(expr)
    if (expr.kind === 'binary') return this.#arithmetic(expr)
    if (expr.kind === 'unary' && expr.op !== 'not') throw this.fail(`\`${expr.op}\` applies to constants only`, expr)
    const hint = expr.kind === 'unary' ? 'write `not (…)`: `not` binds tighter than a comparison' : undefined
    throw this.fail('a condition cannot be compared', expr, hint)
  }

  #call(expr: CallExpr): Operand {
    if (lowerName(expr.name) !== 'array_length') throw this.fail(`\`${expr.name}\` gives no value to compare`, expr)
    const [arg] = expr.args
    if (arg?.kind !== 'field' || expr.args.length !== 1) throw this.fail('array_length takes one array field or JSON path', expr)
    const [list] = findStruct(this.schema, arg.name) === undefined || arg.path.length > 0 ? [] : subFields(this.schema, arg.name)
    const of = this.field(list === undefined ? arg : { ...arg, name: list.name })
    if (of.kind === 'element') throw this.fail('array_length takes a whole array', arg)
    if (of.kind === 'column' && !isListType(of.field.type) && of.field.type !== DataType.JSON) throw this.#wrongType('array_length', of.field, arg)
    return { kind: 'length', of }
  }

  #wrongType(what: string, field: FieldSchema, at: Expr): FilterError {
    return this.fail(`${what} does not apply to field ${field.name} of type ${dataTypeName(field.type)}`, at)
  }

  #arithmetic(expr: BinaryExpr): Operand {
    const { op } = expr
    if (op !== '+' && op !== '-' && op !== '*' && op !== '/' && op !== '%') {
      const isComparison = op === '==' || op === '!=' || op === '<' || op === '<=' || op === '>' || op === '>='
      throw this.fail(isComparison ? 'a condition cannot be compared' : `\`${op}\` on fields is not supported`, expr)
    }
    const left = this.operand(expr.left)
    const right = this.operand(expr.right)
    if (left.kind !== 'constant' && right.kind !== 'constant') throw this.fail('not supported to do arithmetic operations between multiple fields', expr)
    const reversed = left.kind === 'constant'
    const operand = reversed ? right : left
    const constant = left.kind === 'constant' ? left.constant : right.kind === 'constant' ? right.constant : undefined
    if (constant === undefined || operand.kind === 'constant') throw this.fail('an operator without a field', expr)
    if (reversed && op !== '+' && op !== '*') throw this.fail(`a constant cannot stand left of \`${op}\` and a field`, expr)
    if (constant.kind === 'interval') return this.#shift(expr, operand, constant.interval, op)
    return this.#fieldArithmetic(expr, op, operand, constant)
  }

  #shift(expr: BinaryExpr, operand: Operand, interval: Interval, op: string): Operand {
    if (operand.kind !== 'column' || operand.field.type !== DataType.Timestamptz) throw this.fail('INTERVAL is added to a Timestamptz field only', expr)
    if (op !== '+' && op !== '-') throw this.fail(`\`${op}\` does not apply to INTERVAL`, expr)
    return { kind: 'shifted-time', field: operand.field, interval, sign: op === '+' ? 1 : -1 }
  }

  #fieldArithmetic(expr: BinaryExpr, op: ArithmeticOperand['op'], operand: Operand, constant: Constant): Operand {
    if (operand.kind === 'arithmetic' || operand.kind === 'length') throw this.fail('nested arithmetic is not supported', expr)
    if (operand.kind === 'constant' || operand.kind === 'shifted-time') throw this.fail(`\`${op}\` does not apply here`, expr)
    const value = constant.kind === 'scalar' ? constant.value : undefined
    if (typeof value !== 'bigint' && typeof value !== 'number') throw this.fail(`\`${op}\` does not apply to ${describeConstant(constant)}`, expr)
    const type = operandType(operand)
    if (operand.kind !== 'json' && !isNumeric(type)) throw this.#wrongType(`\`${op}\``, operand.field, expr)
    if (op === '%' && (typeof value !== 'bigint' || (operand.kind !== 'json' && !isIntegerType(type)))) throw this.fail('modulo can only apply on integer types', expr)
    if ((op === '/' || op === '%') && Number(value) === 0) throw this.fail('division by zero', expr)
    return { kind: 'arithmetic', op, operand, constant: value }
  }
}

/** The type of a value of the operand; JSON for what each row decides. */
export function operandType(operand: FieldOperand): DataType {
  if (operand.kind === 'json') return DataType.JSON
  return operand.kind === 'element' ? (operand.field.elementType ?? DataType.None) : operand.field.type
}

export function isIntegerType(type: DataType): boolean {
  return type === DataType.Int8 || type === DataType.Int16 || type === DataType.Int32 || type === DataType.Int64
}

export function isFloatType(type: DataType): boolean {
  return type === DataType.Float || type === DataType.Double
}

export function isNumeric(type: DataType): boolean {
  return isIntegerType(type) || isFloatType(type)
}

export function isStringType(type: DataType): boolean {
  return type === DataType.VarChar || type === DataType.String || type === DataType.Text
}

export function describeOperand(operand: FieldOperand): string {
  return `field ${operand.field.name} of type ${dataTypeName(operandType(operand))}`
}

export function isUncomparable(type: DataType): boolean {
  return isVectorType(type) || type === DataType.ArrayOfVector || type === DataType.Geometry
}

/** Functions are named in lower or in upper case, not mixed; '' for a mixed one. */
export function lowerName(name: string): string {
  const lower = name.toLowerCase()
  return name === lower || name === name.toUpperCase() ? lower : ''
}
