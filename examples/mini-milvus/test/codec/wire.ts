/** The official SDK's own descriptor, as the other side of the wire. */
import { createRequire } from 'node:module'
import protobuf from 'protobufjs/light.js'

const require = createRequire(import.meta.url)
const json = (require('@zilliz/milvus2-sdk-node/dist/milvus/proto-json/milvus.js') as { default: protobuf.INamespace }).default
const root = protobuf.Root.fromJSON(json)
root.resolveAll()

const typeOf = (name: string) => root.lookupType(`milvus.proto.${name}`)

export function encode(name: string, value: object): Uint8Array {
  const type = typeOf(name)
  // A copy: protobufjs gives slices of its pool.
  return Uint8Array.from(type.encode(type.fromObject(value)).finish())
}

export function decode(name: string, bytes: Uint8Array): Record<string, unknown> {
  const type = typeOf(name)
  return type.toObject(type.decode(bytes), { longs: String, arrays: true, oneofs: true })
}
