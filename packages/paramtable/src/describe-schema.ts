/** A JSON Schema of the files that a table takes: nested as the example file is, spelled as the declarations are. */
import type { Declared } from './declaration.ts'
import { pathOf } from './describe-yaml.ts'
import { isSecret } from './explain.ts'
import { parseAs } from './parsers.ts'

export type JsonSchema = Readonly<Record<string, unknown>>

interface OpenSchema {
  readonly type: 'object'
  readonly properties: Record<string, JsonSchema | OpenSchema>
  readonly additionalProperties?: false
}

export function describeSchema(sorted: readonly Declared[], strict: boolean): JsonSchema {
  const ids = new Set(sorted.flatMap(({ id, oldIds }) => [id, ...oldIds]))
  const open = (): OpenSchema => ({ type: 'object', properties: Object.create(null) as OpenSchema['properties'], ...(strict ? { additionalProperties: false } : {}) })
  const root = open()
  const put = (key: string, schema: JsonSchema): void => {
    const path = pathOf(key, ids)
    let at = root
    for (const name of path.slice(0, -1)) at = (at.properties[name] ??= open()) as OpenSchema
    at.properties[path.at(-1) ?? ''] = schema
  }
  for (const one of sorted) {
    put(one.key, { ...shapeOf(one), ...aboutOf(one) })
    for (const old of one.deprecatedKeys ?? []) put(old, { ...shapeOf(one), deprecated: true, description: `Now \`${one.key}\`.` })
  }
  return { $schema: 'https://json-schema.org/draft/2020-12/schema', ...root }
}

function aboutOf(one: Declared): JsonSchema {
  const { doc, type, unit, defaultText } = one
  const description = [doc, unit === undefined ? undefined : `In ${unit}.`].filter((text) => text !== undefined).join(' ')
  const about = description === '' ? {} : { description }
  if (isSecret(one.id, one)) return { ...about, writeOnly: true }
  if (defaultText === undefined) return about
  const parsed = type === 'int' || type === 'float' || type === 'bool' || type === 'json' ? parseAs(type, defaultText) : undefined
  return { ...about, default: parsed?.ok === true ? parsed.value : defaultText }
}

/** What may stand in a file, in the plain form of the type: a parser of YAML makes `1.10` a number also where a text is wanted. */
function shapeOf(one: Declared): JsonSchema {
  const scalar = ['string', 'number', 'boolean']
  switch (one.type) {
    case 'int':
      return { type: 'integer', ...rangeOf(one) }
    case 'float':
      return { type: 'number', ...rangeOf(one) }
    case 'bool':
      return { type: 'boolean' }
    case 'durationMs':
      return { type: ['number', 'string'], minimum: 0, pattern: '^[0-9]+(\\.[0-9]+)?\\s*(ms|s|m|min|h|d)?$' }
    case 'bytes':
      return { type: ['number', 'string'], minimum: 0, pattern: '^[0-9]+(\\.[0-9]+)?\\s*[kmgtpKMGTP]?([iI]?[bB])?$' }
    case 'list':
      return { type: ['array', ...scalar, 'null'] }
    case 'json':
      return {}
    case 'string':
    case 'enum':
      return one.oneOf === undefined ? { type: [...scalar, 'null'] } : { enum: one.oneOf.flatMap(plainForms) }
  }
}

function rangeOf({ min, max, oneOf }: Declared): JsonSchema {
  return {
    ...(min === undefined || !Number.isFinite(min) ? {} : { minimum: min }),
    ...(max === undefined || !Number.isFinite(max) ? {} : { maximum: max }),
    ...(oneOf === undefined ? {} : { enum: oneOf.map(Number) }),
  }
}

/** A text, and what a parser makes of it when it stands without quotes. */
function plainForms(text: string): unknown[] {
  if (text === 'true' || text === 'false') return [text, text === 'true']
  return /^-?[0-9]+(\.[0-9]+)?$/.test(text) ? [text, Number(text)] : [text]
}
