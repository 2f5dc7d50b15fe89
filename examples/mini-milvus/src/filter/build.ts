/** What the grammar's actions call: literals, precedences, and the limit of nesting. Throws {@link FilterError}. */
import { parseInterval, parseTimestamptz } from '../codec/timestamptz.ts'
import { MAX_DEPTH } from './ast.ts'
import type { ArithmeticOperator, CompareOperator, Expr, FieldExpr, MatchExpr, PrefixOperator, Scalar } from './ast.ts'
import { FilterError } from './errors.ts'
import { blanksEnd, numberEnd, parseNumber, unescapeString, wordEnd } from './literals.ts'

interface Step<Op extends string> {
  readonly op: Op
  readonly right: Expr
  readonly offset: number
}
type FlatOperator = ArithmeticOperator | CompareOperator | 'and' | 'or' | 'in' | 'not in'

const KEYWORDS = new Set(
  ['and', 'or', 'not', 'in', 'like', 'exists', 'true', 'false'].flatMap((word) => [word, word.toUpperCase()]).concat('True', 'False'),
)
const NULLS = new Set(['null', 'NULL', 'Null', 'None', 'nil'])

/** Milvus's levels, a higher number binds tighter; those above `*` are rules of the grammar. */
const PRECEDENCE: Readonly<Record<FlatOperator, number>> = {
  '**': 13, '*': 12, '/': 12, '%': 12, '+': 11, '-': 11, '<<': 10, '>>': 10, in: 9, 'not in': 9,
  '<': 8, '<=': 8, '>': 8, '>=': 8, '==': 7, '!=': 7, '&': 6, '^': 5, '|': 4, and: 3, or: 2,
}

export class Builder {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  blanksEnd(from: number): number {
    return blanksEnd(this.#text, from)
  }

  wordEnd(from: number): number {
    return wordEnd(this.#text, from)
  }

  numberEnd(from: number): number {
    return numberEnd(this.#text, from)
  }

  isKeyword(name: string): boolean {
    return KEYWORDS.has(name)
  }

  literal(value: Scalar, offset: number): Expr {
    return { kind: 'literal', value, offset, depth: 1 }
  }

  number(text: string, offset: number): Expr {
    const value = parseNumber(text)
    if (value === undefined) throw this.#error(`\`${text}\` is not a number`, offset)
    return this.literal(value, offset)
  }

  unescape(raw: string, offset: number): string {
    const value = unescapeString(raw)
    if (value === undefined) throw this.#error('the string has a malformed escape', offset)
    return value
  }

  index(text: string, offset: number): number {
    const index = Number(text)
    if (index > 0xffff_ffff || (text.length > 1 && text.startsWith('0'))) throw this.#error(`\`${text}\` is not an index`, offset)
    return index
  }

  parens(inner: Expr): Expr {
    return inner.parenthesized ? inner : { ...inner, parenthesized: true }
  }

  argument(name: string, value: Expr): Expr {
    return { ...value, argument: name }
  }

  list(items: readonly Expr[], offset: number): Expr {
    let depth = 0
    for (const item of items) if (item.depth > depth) depth = item.depth
    return this.#check({ kind: 'list', items, offset, depth: depth + 1 })
  }

  template(name: string, offset: number): Expr {
    return { kind: 'template', name, offset, depth: 1 }
  }

  reference(name: string, path: { readonly steps: readonly (string | number)[]; readonly test: 'null' | 'not null' | null }, offset: number): Expr {
    const field = this.field(name, path.steps, offset)
    return path.test === null ? field : { kind: 'is-null', field, negated: path.test === 'not null', offset, depth: 2 }
  }

  subField(struct: string, sub: string): string {
    return `${struct}[${sub}]`
  }

  field(name: string, path: readonly (string | number)[], offset: number): FieldExpr {
    if (NULLS.has(name)) throw this.#error('null is no value to compare with', offset, 'use `is null` or `is not null` after a field')
    return { kind: 'field', name, path, offset, depth: 1 }
  }

  call(name: string, args: readonly Expr[], offset: number): Expr {
    let depth = 0
    for (const arg of args) if (arg.depth > depth) depth = arg.depth
    return this.#check({ kind: 'call', name, args, offset, depth: depth + 1 })
  }

  iso(text: string, offset: number): Expr {
    const micros = parseTimestamptz(text)
    if (micros === undefined) throw this.#error(`'${text}' is not an ISO 8601 time`, offset)
    return { kind: 'iso', micros, offset, depth: 1 }
  }

  interval(text: string, offset: number): Expr {
    const interval = parseInterval(text)
    if (interval === undefined) throw this.#error(`'${text}' is not an ISO 8601 duration`, offset)
    return { kind: 'interval', interval, offset, depth: 1 }
  }

  prefix(ops: readonly { readonly op: PrefixOperator; readonly offset: number }[], operand: Expr): Expr {
    let expr = operand
    for (let i = ops.length - 1; i >= 0; i--) {
      const step = ops[i]
      if (step === undefined) continue
      expr = this.#check({ kind: 'unary', op: step.op, operand: expr, offset: step.offset, depth: expr.depth + 1 })
    }
    return expr
  }

  exists(offsets: readonly number[], operand: Expr): Expr {
    let expr = operand
    for (let i = offsets.length - 1; i >= 0; i--) {
      expr = this.#check({ kind: 'exists', operand: expr, offset: offsets[i] ?? 0, depth: expr.depth + 1 })
    }
    return expr
  }

  matches(head: Expr, tail: readonly Step<MatchExpr['op']>[]): Expr {
    let left = head
    for (const { op, right, offset } of tail) {
      left = this.#check({ kind: 'match', op, left, right, offset, depth: Math.max(left.depth, right.depth) + 1 })
    }
    return left
  }

  /** Operands and operators of one level of parentheses, in their order, to a tree: one pass, no recursion. */
  fold(head: Expr, tail: readonly Step<FlatOperator>[]): Expr {
    const operands: Expr[] = [head]
    const operators: Step<FlatOperator>[] = []
    for (const step of tail) {
      this.#reduce(operands, operators, PRECEDENCE[step.op])
      operators.push(step)
      operands.push(step.right)
    }
    this.#reduce(operands, operators, 0)
    return operands[0] ?? head
  }

  /** Applies the waiting operators that bind at least as tightly; chains of `and` / `or` are taken whole. */
  #reduce(operands: Expr[], operators: Step<FlatOperator>[], precedence: number): void {
    for (;;) {
      const top = operators.at(-1)
      if (top === undefined || PRECEDENCE[top.op] < precedence) return
      const isLogical = top.op === 'and' || top.op === 'or'
      if (isLogical && PRECEDENCE[top.op] === precedence) return
      let count = 1
      while (isLogical && operators.at(-1 - count)?.op === top.op) count++
      operators.length -= count
      const args = operands.splice(operands.length - count - 1)
      operands.push(this.#binary(top, args))
    }
  }

  #binary({ op, offset }: Step<FlatOperator>, args: readonly Expr[]): Expr {
    const [left, right] = args
    if (left === undefined || right === undefined) throw new Error('an operator without operands')
    let depth = 0
    for (const arg of args) if (arg.depth > depth) depth = arg.depth
    depth += 1
    if (op === 'and' || op === 'or') return this.#check({ kind: 'logical', op, operands: args, offset, depth })
    if (op === 'in' || op === 'not in') return this.#check({ kind: 'in', negated: op === 'not in', left, right, offset, depth })
    return this.#check(asRange(op, left, right, offset, depth) ?? { kind: 'binary', op, left, right, offset, depth })
  }

  #check(expr: Expr): Expr {
    if (expr.depth > MAX_DEPTH) throw this.#error(`the filter is nested deeper than ${MAX_DEPTH} levels`, expr.offset)
    return expr
  }

  #error(reason: string, offset: number, hint?: string): FilterError {
    return new FilterError('syntax', reason, this.#text, offset, hint)
  }
}

function asRange(op: ArithmeticOperator | CompareOperator, left: Expr, right: Expr, offset: number, depth: number): Expr | undefined {
  if (left.kind !== 'binary' || left.parenthesized || left.right.kind !== 'field' || left.right.parenthesized) return undefined
  const field = left.right
  const first = left.op
  const ascending = (op === '<' || op === '<=') && (first === '<' || first === '<=')
  const descending = (op === '>' || op === '>=') && (first === '>' || first === '>=')
  if (ascending) return { kind: 'range', low: left.left, lowInclusive: first === '<=', field, high: right, highInclusive: op === '<=', offset, depth }
  if (descending) return { kind: 'range', low: right, lowInclusive: op === '>=', field, high: left.left, highInclusive: first === '>=', offset, depth }
  return undefined
}
