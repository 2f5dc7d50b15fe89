/** Functions of collections and of scores, between JSON and the wire. */
import { type FunctionSchema, type FunctionScore, FunctionType, type Init } from '../wire/index.ts'
import type { Body } from './body.ts'
import { invalidParameter } from './errors.ts'

const typeNames = new Map<number, string>(Object.entries(FunctionType).map(([name, value]) => [value, name]))

function typeOf(name: string): number {
  const found = Object.entries(FunctionType).find(([known]) => known.toLowerCase() === name.toLowerCase())
  if (found === undefined) throw invalidParameter('type', `one of ${Object.keys(FunctionType).join(', ')}`)
  return found[1]
}

/** A name alone may stand for a list of one. */
function namesOf(body: Body, name: string): readonly string[] {
  return typeof body.value(name) === 'string' ? [body.text(name)] : body.texts(name)
}

export function functionOf(body: Body): Init<FunctionSchema> {
  return {
    name: body.text('name'),
    description: body.text('description'),
    type: typeOf(body.text('type') || 'Unknown'),
    input_field_names: namesOf(body, 'inputFieldNames'),
    output_field_names: namesOf(body, 'outputFieldNames'),
    params: body.object('params').pairs(),
  }
}

/** Null where the body has none. */
export function functionScoreOf(body: Body): Init<FunctionScore> | null {
  if ((body.value('functionScore') ?? null) === null) return null
  const score = body.object('functionScore')
  return { functions: score.objects('functions').map(functionOf), params: score.object('params').pairs() }
}

export function shownFunction(found: FunctionSchema): object {
  return {
    name: found.name,
    id: found.id,
    description: found.description,
    type: typeNames.get(found.type) ?? '',
    inputFieldNames: found.input_field_names,
    outputFieldNames: found.output_field_names,
    params: found.params.map(({ key, value }) => ({ key, value })),
  }
}
