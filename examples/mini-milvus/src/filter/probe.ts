/**
 * What an index can tell about a filter: the rows for which a part of it is true. A part that no index knows is undefined; `and`
 * then gives more rows than match, which are to be tested, and `or` cannot be answered.
 */
import type { IndexKey } from '../model/json-index.ts'
import type { Box } from '../geometry/box.ts'
import type { FieldSchema } from '../model/schema.ts'
import type { Spans } from '../scalar/spans.ts'

/** Rows that are not null and whose value (of an array: any element) lies in the spans, or with `outside` in none of them. */
export interface LeafProbe {
  readonly kind: 'leaf'
  readonly fieldId: IndexKey
  readonly spans: Spans
  readonly outside: boolean
  /** False: some of the rows do not match. */
  readonly exact: boolean
  readonly isMany: boolean
}

/** Rows that are null, or with `outside` those that are not. */
export interface NullProbe {
  readonly kind: 'null'
  readonly fieldId: number
  readonly outside: boolean
}

export interface LogicalProbe {
  readonly kind: 'and' | 'or'
  readonly operands: readonly (Probe | undefined)[]
}

/** Rows whose text has all of these in it; more than match. */
export interface GramsProbe {
  readonly kind: 'grams'
  readonly fieldId: IndexKey
  readonly texts: readonly Uint8Array[]
}

/** Rows whose geometry may meet the box; more than match. */
export interface BoxProbe {
  readonly kind: 'box'
  readonly fieldId: number
  readonly box: Box
}

/** The same, as indexes of several kinds can tell it: whichever there is. */
export interface EitherProbe {
  readonly kind: 'either'
  readonly options: readonly Probe[]
}

export type Probe = LeafProbe | NullProbe | LogicalProbe | GramsProbe | BoxProbe | EitherProbe

export function spansProbe(field: FieldSchema, spans: Spans, how: { readonly outside?: boolean; readonly exact?: boolean } = {}): LeafProbe {
  return { kind: 'leaf', fieldId: field.id, spans, outside: how.outside ?? false, exact: how.exact ?? true, isMany: false }
}

export function nullProbe(field: FieldSchema, outside: boolean): NullProbe {
  return { kind: 'null', fieldId: field.id, outside }
}

/** Any element of an array lies in the spans. */
export function elementsProbe(field: FieldSchema, spans: Spans): LeafProbe {
  return { kind: 'leaf', fieldId: field.id, spans, outside: false, exact: true, isMany: true }
}

export function eitherProbe(...options: readonly (Probe | undefined)[]): Probe | undefined {
  const known = options.filter((option) => option !== undefined)
  return known.length > 1 ? { kind: 'either', options: known } : known[0]
}

export function gramsProbe(fieldId: IndexKey, texts: readonly Uint8Array[]): GramsProbe | undefined {
  return texts.length === 0 ? undefined : { kind: 'grams', fieldId, texts }
}

export function logicalProbe(kind: 'and' | 'or', operands: readonly (Probe | undefined)[]): Probe | undefined {
  // An `and` in an `and` is one: its tests of one field then meet.
  const flat = operands.flatMap((operand) => (operand?.kind === kind ? operand.operands : [operand]))
  if (kind === 'or' ? flat.includes(undefined) : flat.every((operand) => operand === undefined)) return undefined
  return { kind, operands: flat }
}

/** The rows for which the part is false: neither true nor unknown. */
export function negated(probe: Probe | undefined): Probe | undefined {
  if (probe === undefined || probe.kind === 'grams' || probe.kind === 'box') return undefined
  if (probe.kind === 'either') return eitherProbe(...probe.options.map(negated))
  if (probe.kind === 'null') return { ...probe, outside: !probe.outside }
  if (probe.kind === 'leaf') return probe.exact && !probe.isMany ? { ...probe, outside: !probe.outside } : undefined
  return logicalProbe(probe.kind === 'and' ? 'or' : 'and', probe.operands.map(negated))
}

/** The fields whose indexes are asked. */
export function probedFields(probe: Probe): IndexKey[] {
  if (probe.kind === 'either') return probe.options.flatMap(probedFields)
  return 'fieldId' in probe ? [probe.fieldId] : probe.operands.flatMap((operand) => (operand === undefined ? [] : probedFields(operand)))
}
