/** JSON merge patches (RFC 7396): what changed between two rows, and its application. `null` removes a member. */
import type { Json, Row } from './model.ts'

const isObject = (value: Json | undefined): value is Row => typeof value === 'object' && value !== null && !Array.isArray(value)

export function equalJson(a: Json | undefined, b: Json | undefined): boolean {
  if (a === b) return true
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((item: Json, i) => equalJson(item, b[i] as Json))
  if (!isObject(a) || !isObject(b)) return false
  const keys = Object.keys(a)
  return keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && equalJson(a[key], b[key]))
}

/** Undefined when nothing changed. A member that is `null` and one that is absent are the same. */
export function diffRows(before: Row, after: Row): Row | undefined {
  const patch: Record<string, Json> = {}
  for (const [key, value] of Object.entries(after)) {
    const old = before[key]
    if (equalJson(old ?? null, value)) continue
    patch[key] = isObject(old) && isObject(value) ? (diffRows(old, value) ?? {}) : value
  }
  for (const [key, value] of Object.entries(before)) if (value !== null && !Object.hasOwn(after, key)) patch[key] = null
  return Object.keys(patch).length === 0 ? undefined : patch
}

export function applyPatch(row: Row, patch: Row): Row {
  const merged: Record<string, Json> = { ...row }
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key]
    else if (isObject(value)) merged[key] = applyPatch(isObject(merged[key]) ? merged[key] : {}, value)
    else merged[key] = value
  }
  return merged
}

/** Rows as they are kept: without members that are `null`, deeply, so that a patch can say them. Arrays stay as they are. */
export function withoutNulls(row: Row): Row {
  return applyPatch({}, row)
}
