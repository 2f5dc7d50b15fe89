/**
 * `st_within` and its kin, on the plane as Milvus relates geometries; `st_dwithin` measures meters on the sphere. A row whose geometry
 * cannot be read, or cannot be related (a collection, a polygon that crosses itself), is unknown.
 */
import { type Box, boxAround, boxOf, doMeet, metersBetween } from '../geometry/box.ts'
import { type Geometry, geometryLibrary, loadGeometry } from '../geometry/library.ts'
import { textAt } from '../model/column.ts'
import { type CollectionSchema, DataType, type FieldSchema } from '../model/schema.ts'
import type { CallExpr } from './ast.ts'
import type { Scope } from './bind.ts'
import { FALSE, rowPlan, TRUE, UNKNOWN } from './plan.ts'
import type { Plan, Truth } from './plan.ts'
import { isNullRow } from './readers.ts'

/** Reading a geometry and relating it, in comparisons of a column with a constant. */
const GEOMETRY_COST = 200
const RELATIONS: ReadonlyMap<string, 'equals' | 'touches' | 'overlaps' | 'crosses' | 'contains' | 'within' | 'intersects'> = new Map([
  ['st_equals', 'equals'], ['st_touches', 'touches'], ['st_overlaps', 'overlaps'], ['st_crosses', 'crosses'], ['st_contains', 'contains'], ['st_within', 'within'], ['st_intersects', 'intersects'],
])

export function isGeometryCall(name: string): boolean {
  return RELATIONS.has(name) || name === 'st_dwithin' || name === 'st_isvalid'
}

/** Wait for it before a filter is compiled. Undefined: nothing to wait for. */
export function prepareFilter(text: string, schema: Pick<CollectionSchema, 'fields'>): Promise<void> | undefined {
  return schema.fields.some(({ type }) => type === DataType.Geometry) && /st_/i.test(text) ? loadGeometry() : undefined
}

/** @param name of the function, in lower case */
export function geometryPlan(scope: Scope, expr: CallExpr, name: string): Plan {
  const [target] = expr.args
  const operand = target?.kind === 'field' && target.argument === undefined ? scope.field(target) : undefined
  if (operand?.kind !== 'column' || operand.field.type !== DataType.Geometry) throw scope.fail('spatial operation are only supported on geometry fields', target ?? expr)
  const { field } = operand
  scope.cost += GEOMETRY_COST
  if (name === 'st_isvalid') return validPlan(scope, expr, field)
  const given = givenGeometry(scope, expr)
  if (name === 'st_dwithin') return distancePlan(scope, expr, field, given)
  if (expr.args.length !== 2) throw scope.fail(`${name} takes a geometry field and a geometry in WKT`, expr)
  const relation = RELATIONS.get(name) ?? 'intersects'
  if (relation !== 'intersects' && given.geometry.getGeometryType() === 'GeometryCollection') throw scope.fail(`${name} takes no collection of geometries`, expr.args[1] ?? expr)
  const library = geometryLibrary()
  const { geometry, box } = given
  const test = relation === 'within' ? (row: Geometry) => library.contains(geometry, row) : (row: Geometry) => library[relation](row, geometry)
  return boxedPlan(field, box, test)
}

interface Given {
  readonly geometry: Geometry
  readonly box: Box | undefined
}

function givenGeometry(scope: Scope, expr: CallExpr): Given {
  const at = expr.args[1] ?? expr
  const constant = expr.args[1] === undefined ? undefined : scope.constant(expr.args[1])
  if (constant?.kind !== 'scalar' || typeof constant.value !== 'string') throw scope.fail(`${expr.name} takes a geometry in WKT`, at)
  const geometry = geometryLibrary().read(constant.value)
  const box = boxOf(constant.value)
  if (geometry === undefined || (box === undefined && !geometry.isEmpty())) throw scope.fail(`${expr.name}: the geometry is no valid WKT`, at)
  return { geometry, box }
}

/** Rows whose box does not meet the given one are false before they are read. */
function boxedPlan(field: FieldSchema, box: Box | undefined, test: (row: Geometry) => boolean): Plan {
  const plan = geometryRows(field, (wkt) => {
    const own = boxOf(wkt)
    if (own !== undefined && (box === undefined || !doMeet(own, box))) return FALSE
    const geometry = geometryLibrary().read(wkt)
    return geometry === undefined || (own === undefined && !geometry.isEmpty()) ? UNKNOWN : test(geometry) ? TRUE : FALSE
  })
  return box === undefined ? plan : { ...plan, probe: { kind: 'box', fieldId: field.id, box } }
}

function distancePlan(scope: Scope, expr: CallExpr, field: FieldSchema, { geometry, box }: Given): Plan {
  const at = expr.args[2] ?? expr
  const constant = expr.args[2] === undefined || expr.args.length !== 3 ? undefined : scope.constant(expr.args[2])
  const value = constant?.kind === 'scalar' ? constant.value : undefined
  if (typeof value !== 'bigint' && typeof value !== 'number') throw scope.fail('distance parameter must be a numeric value (int or float)', at)
  const meters = Number(value)
  if (!(meters >= 0)) throw scope.fail(`distance parameter must be non-negative, got: ${meters}`, at)
  if (box === undefined || geometry.getGeometryType() !== 'Point') throw scope.fail('st_dwithin measures from a POINT', expr.args[1] ?? expr)
  const { minX: x, minY: y } = box
  return boxedPlan(field, boxAround(x, y, meters), (row) => {
    if (row.isEmpty()) return false
    const [near] = geometryLibrary().nearest(row, geometry)
    return metersBetween(x, y, near.x, near.y) <= meters
  })
}

function validPlan(scope: Scope, expr: CallExpr, field: FieldSchema): Plan {
  if (expr.args.length !== 1) throw scope.fail('st_isvalid takes a geometry field', expr)
  return geometryRows(field, (wkt) => {
    const geometry = geometryLibrary().read(wkt)
    return geometry !== undefined && geometryLibrary().isValid(geometry) ? TRUE : FALSE
  })
}

function geometryRows(field: FieldSchema, test: (wkt: string) => Truth): Plan {
  return rowPlan((context) => {
    const slot = context.slot(field)
    const { column, base } = slot
    if (column.kind !== 'string') throw new Error(`field ${field.name} has a column of kind ${column.kind}`)
    return (row) => {
      if (isNullRow(slot, row)) return UNKNOWN
      try {
        return test(textAt(column, base + row))
      } catch {
        return UNKNOWN
      }
    }
  })
}
