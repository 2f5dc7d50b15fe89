/** A message as JSON: names as in the protobuf files, enums as numbers, bytes in base64, int64 as asked for; what is unset is left out. */
export function messageToJson(value: unknown, int64AsNumber: boolean): unknown {
  if (typeof value === 'bigint') return int64AsNumber ? value : value.toString()
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.length).toString('base64')
  if (Array.isArray(value)) return value.map((item: unknown) => messageToJson(item, int64AsNumber))
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([, item]) => item !== undefined && item !== null)
  return Object.fromEntries(entries.map(([key, item]) => [key, messageToJson(item, int64AsNumber)]))
}
