/** Addresses of clusters, in one form: `host`, `host:19530` and `http://host` are one cluster. */
import { createHash } from 'node:crypto'

export const MILVUS_PORT = 19530

export function normaliseAddress(address: string): string {
  const text = address.trim()
  const match = /^(?:(https?|tcp|grpc):\/\/)?(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?\/?$/.exec(text)
  const port = match?.[3] === undefined ? MILVUS_PORT : Number(match[3])
  if (match?.[2] === undefined || port < 1 || port > 65_535) throw new RangeError(`expected an address like 127.0.0.1:19530, got ${JSON.stringify(address)}`)
  const scheme = match[1] === 'https' ? 'https://' : ''
  return `${scheme}${match[2].toLowerCase()}:${port}`
}

/** The cache layer of an address, and of a principal where what is listed depends on who asks. */
export function layerId(address: string, principal = ''): string {
  return createHash('sha256').update(`${normaliseAddress(address)}\n${principal}`).digest('hex').slice(0, 16)
}
