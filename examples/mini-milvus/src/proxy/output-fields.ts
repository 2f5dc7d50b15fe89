/** What a read's `output_fields` mean: which columns come back, and which keys of the dynamic field. */
import { functionInto } from '../model/functions.ts'
import { DYNAMIC_FIELD_NAME, dynamicField, primaryField, type CollectionSchema, type FieldSchema, type StructMeta } from '../model/schema.ts'
import { findStruct, structsOf, subFields } from '../model/structs.ts'
import { MilvusError } from '../server/status.ts'
import { ErrorCode } from '../wire/index.ts'

export interface OutputFields {
  readonly fields: readonly FieldSchema[]
  /** Of which there are sub-fields among `fields`. */
  readonly structs: readonly StructMeta[]
  /** As the response names them: static fields, and dynamic keys as the client wrote them. */
  readonly names: readonly string[]
  /** Keys of the dynamic field to return; undefined: all of it. */
  readonly dynamicKeys: ReadonlySet<string> | undefined
  readonly hasPrimary: boolean
}

/** @throws MilvusError 1100 for a name that is neither a field nor, in a collection with a dynamic field, a key */
export function resolveOutputFields(schema: CollectionSchema, wanted: readonly string[]): OutputFields {
  const chosen = new Set<FieldSchema>()
  const names = new Set<string>()
  const keys = new Set<string>()
  let wholeDynamic = false
  const dynamic = dynamicField(schema)
  for (const raw of wanted) {
    const name = raw.trim()
    if (name === '*' || name === '%') {
      for (const field of schema.fields) {
        if (functionInto(schema, field.id) !== undefined) continue
        chosen.add(field)
        names.add(field.struct ?? field.name)
      }
      wholeDynamic = dynamic !== undefined
      continue
    }
    if (findStruct(schema, name) !== undefined) {
      for (const field of subFields(schema, name)) chosen.add(field)
      names.add(name)
      continue
    }
    const field = schema.fields.find((candidate) => candidate.name === name)
    if (field !== undefined) {
      // What is there is no vector that a client gave, and means nothing to one.
      if (functionInto(schema, field.id) !== undefined) throw new MilvusError(1100, `not allowed to retrieve raw data of field ${name}`, ErrorCode.UnexpectedError)
      chosen.add(field)
      if (field.isDynamic) wholeDynamic = true
    } else if (dynamic !== undefined && name !== '') {
      chosen.add(dynamic)
      keys.add(dynamicKey(name))
    } else {
      throw new MilvusError(1100, `field ${name} not exist`)
    }
    // A sub-field comes as a struct that has nothing else.
    names.add(field?.struct ?? name)
  }
  const fields = schema.fields.filter((field) => chosen.has(field))
  return {
    fields,
    structs: structsOf(schema).filter(({ name }) => fields.some(({ struct }) => struct === name)),
    names: [...names],
    dynamicKeys: wholeDynamic || keys.size === 0 ? undefined : keys,
    hasPrimary: chosen.has(primaryField(schema)),
  }
}

/** `$meta["key"]` names the key too. Throws MilvusError 1100 for what lies deeper, or in a JSON field: no part of a value comes back. */
function dynamicKey(name: string): string {
  const match = /^\$meta\[(?:"([^"]+)"|'([^']+)')\]$/.exec(name)
  if (match !== null) return match[1] ?? match[2] ?? ''
  if (name.endsWith(']')) {
    const reason = name.startsWith(DYNAMIC_FIELD_NAME) ? 'not support getting multiple level of dynamic field for now' : 'not support getting subkeys of json field yet'
    throw new MilvusError(1100, `parse output field name failed: ${name.slice(0, 200)}: ${reason}`)
  }
  return name.startsWith(`${DYNAMIC_FIELD_NAME}.`) ? name.slice(DYNAMIC_FIELD_NAME.length + 1) : name
}
