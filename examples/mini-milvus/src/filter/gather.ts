import { DataType } from '../model/schema.ts'
import type { CollectionSchema } from '../model/schema.ts'
import type { BinaryExpr, Expr, FieldExpr, InExpr, LogicalExpr } from './ast.ts'

const ENOUGH = 4

/**
 * The operands of a chain, with its many `a == 1 or a == 2 …` made one `a in [1, 2, …]` (and `a != 1 and …` one `not in`): the same
 * rows match, nulls included, in one pass. Only for fields whose values are all of one class.
 */
export function gatherSets(expr: LogicalExpr, schema: CollectionSchema): readonly Expr[] {
  if (expr.operands.length < ENOUGH) return expr.operands
  const wanted = expr.op === 'or' ? '==' : '!='
  const names = new Set(schema.fields.filter((field) => isPlain(field.type)).map((field) => field.name))
  const groups = new Map<string, (BinaryExpr & { left: FieldExpr })[]>()
  const operands: Expr[] = []
  for (const operand of expr.operands) {
    if (!isTest(operand) || operand.op !== wanted || operand.left.path.length > 0 || !names.has(operand.left.name)) {
      operands.push(operand)
      continue
    }
    const group = groups.get(operand.left.name)
    if (group === undefined) groups.set(operand.left.name, [operand])
    else group.push(operand)
  }
  for (const group of groups.values()) {
    if (group.length < ENOUGH) operands.push(...group)
    else operands.push(asSet(group, expr.op === 'and'))
  }
  return operands
}

function isPlain(type: DataType): boolean {
  return (type >= DataType.Int8 && type <= DataType.Double) || type === DataType.VarChar || type === DataType.String || type === DataType.Text
}

function isTest(expr: Expr): expr is BinaryExpr & { left: FieldExpr } {
  return expr.kind === 'binary' && expr.left.kind === 'field' && expr.right.kind === 'literal'
}

function asSet(tests: readonly (BinaryExpr & { left: FieldExpr })[], negated: boolean): Expr {
  const [first] = tests
  if (first === undefined) throw new Error('an empty group')
  const list: Expr = { kind: 'list', items: tests.map((test) => test.right), offset: first.right.offset, depth: 2 }
  return { kind: 'in', negated, left: first.left, right: list, offset: first.offset, depth: 3 } satisfies InExpr
}
