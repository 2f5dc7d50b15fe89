/** Filter templates as they come by gRPC. Values stay values: they never become text of a filter. */
import type { TemplateValue as FilterValue } from '../filter/index.ts'
import { MilvusError } from '../server/status.ts'
import type { TemplateArrayValue, TemplateValue } from '../wire/index.ts'

const decoder = new TextDecoder()

export function filterTemplates(values: Readonly<Record<string, TemplateValue>>): ReadonlyMap<string, FilterValue> {
  return new Map(Object.entries(values).map(([name, value]) => [name, templateValue(name, value)]))
}

function templateValue(name: string, value: TemplateValue): FilterValue {
  if (value.bool_val !== undefined) return value.bool_val
  if (value.int64_val !== undefined) return value.int64_val
  if (value.float_val !== undefined) return value.float_val
  if (value.string_val !== undefined) return value.string_val
  if (value.bytes_val !== undefined) return decoder.decode(value.bytes_val)
  if (value.array_val !== undefined) return arrayValue(value.array_val)
  throw new MilvusError(1100, `template ${name} has no value`)
}

function arrayValue(array: TemplateArrayValue): FilterValue {
  if (array.bool_data !== undefined) return array.bool_data.data
  if (array.long_data !== undefined) return array.long_data.data
  if (array.double_data !== undefined) return array.double_data.data
  if (array.string_data !== undefined) return array.string_data.data
  if (array.array_data !== undefined) return array.array_data.data.map((item) => arrayValue(item))
  if (array.json_data !== undefined) return array.json_data.data.map((item) => JSON.parse(decoder.decode(item)) as FilterValue)
  return []
}
