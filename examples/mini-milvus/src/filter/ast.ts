/** What the grammar makes of a filter text, before any schema is known. `offset` counts UTF-16 units from the start. */
import type { Interval } from '../codec/timestamptz.ts'

interface Node {
  readonly offset: number
  /** Height of this tree; parsing refuses more than {@link MAX_DEPTH}, so that whoever walks it may recurse. */
  readonly depth: number
  /** Written inside parentheses of its own: such a comparison is no part of a range. */
  readonly parenthesized?: true | undefined
  /** The name before it, where it is an argument that has one: `slop=2`. */
  readonly argument?: string | undefined
}

export const MAX_DEPTH = 200
export const MAX_FILTER_BYTES = 4 * 1024 * 1024

/** A literal's value: integers are bigints, floats numbers. */
export type Scalar = boolean | bigint | number | string

export interface LiteralExpr extends Node {
  readonly kind: 'literal'
  readonly value: Scalar
}

/** `ISO '…'`: microseconds since 1970 UTC. */
export interface IsoExpr extends Node {
  readonly kind: 'iso'
  readonly micros: bigint
}

export interface IntervalExpr extends Node {
  readonly kind: 'interval'
  readonly interval: Interval
}

/** `a`, `a["k"][0]`, `$meta["k"]`. */
export interface FieldExpr extends Node {
  readonly kind: 'field'
  readonly name: string
  readonly path: readonly (string | number)[]
}

export interface TemplateExpr extends Node {
  readonly kind: 'template'
  readonly name: string
}

export interface ListExpr extends Node {
  readonly kind: 'list'
  readonly items: readonly Expr[]
}

export type PrefixOperator = 'not' | '-' | '+' | '~'

export interface UnaryExpr extends Node {
  readonly kind: 'unary'
  readonly op: PrefixOperator
  readonly operand: Expr
}

export type ArithmeticOperator = '**' | '*' | '/' | '%' | '+' | '-' | '<<' | '>>' | '&' | '^' | '|'
export type CompareOperator = '<' | '<=' | '>' | '>=' | '==' | '!='

export interface BinaryExpr extends Node {
  readonly kind: 'binary'
  readonly op: ArithmeticOperator | CompareOperator
  readonly left: Expr
  readonly right: Expr
}

/** `1 < a <= 5` and `5 >= a > 1`, in ascending order. */
export interface RangeExpr extends Node {
  readonly kind: 'range'
  readonly low: Expr
  readonly lowInclusive: boolean
  readonly field: FieldExpr
  readonly high: Expr
  readonly highInclusive: boolean
}

export interface InExpr extends Node {
  readonly kind: 'in'
  readonly negated: boolean
  readonly left: Expr
  readonly right: Expr
}

export interface MatchExpr extends Node {
  readonly kind: 'match'
  readonly op: 'like' | '=~' | '!~'
  readonly left: Expr
  readonly right: Expr
}

export interface LogicalExpr extends Node {
  readonly kind: 'logical'
  readonly op: 'and' | 'or'
  readonly operands: readonly Expr[]
}

export interface ExistsExpr extends Node {
  readonly kind: 'exists'
  readonly operand: Expr
}

export interface IsNullExpr extends Node {
  readonly kind: 'is-null'
  readonly negated: boolean
  readonly field: FieldExpr
}

export interface CallExpr extends Node {
  readonly kind: 'call'
  readonly name: string
  readonly args: readonly Expr[]
}

export type Expr =
  | LiteralExpr
  | IsoExpr
  | IntervalExpr
  | FieldExpr
  | TemplateExpr
  | ListExpr
  | UnaryExpr
  | BinaryExpr
  | RangeExpr
  | InExpr
  | MatchExpr
  | LogicalExpr
  | ExistsExpr
  | IsNullExpr
  | CallExpr
