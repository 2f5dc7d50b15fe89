/** Insert requests encoded beforehand: what the node can take when its client costs nothing. */
import * as grpc from '@grpc/grpc-js'
import { createRequire } from 'node:module'
import protobuf from 'protobufjs'
import { DIM } from './collection.mjs'

const require = createRequire(import.meta.url)
const passThrough = (bytes) => bytes

let root
/** Types of the wire, from the client's own descriptor. */
export function wireType(name) {
  root ??= protobuf.Root.fromJSON(require('@zilliz/milvus2-sdk-node/dist/milvus/proto-json/milvus.js').default)
  return root.lookupType(`milvus.proto.milvus.${name}`)
}

/** One request of columns as the wire has them. */
export const encodeInsert = (collection_name, num_rows, fields_data) => Buffer.from(wireType('InsertRequest').encode({ collection_name, num_rows, fields_data }).finish())

export function checkInsert(bytes) {
  const { status } = wireType('MutationResult').decode(bytes)
  if (status.code !== 0) throw new Error(status.reason)
}

export function encodeInserts(collection_name, vectors, batch) {
  const type = wireType('InsertRequest')
  const requests = []
  for (let first = 0; first < vectors.length / DIM; first += batch) {
    const ids = Array.from({ length: batch }, (_, i) => first + i)
    const message = {
      collection_name,
      num_rows: batch,
      fields_data: [
        { type: 5, field_name: 'id', scalars: { long_data: { data: ids } } },
        { type: 5, field_name: 'bucket', scalars: { long_data: { data: ids.map((id) => id % 100) } } },
        { type: 101, field_name: 'vec', vectors: { dim: DIM, float_vector: { data: Array.from(vectors.subarray(first * DIM, (first + batch) * DIM)) } } },
      ],
    }
    requests.push(Buffer.from(type.encode(type.fromObject(message)).finish()))
  }
  return { requests, checkAnswer: checkInsert }
}

/** Sends all requests, `width` in flight. @returns rows per second */
export async function sendInserts(address, { requests, checkAnswer }, batch, width = 4) {
  const client = new grpc.Client(address, grpc.credentials.createInsecure(), { 'grpc.max_send_message_length': -1 })
  const send = (request) => new Promise((resolve, reject) => {
    client.makeUnaryRequest('/milvus.proto.milvus.MilvusService/Insert', passThrough, passThrough, request, (error, bytes) => (error === null ? resolve(checkAnswer(bytes)) : reject(error)))
  })
  const begin = performance.now()
  let next = 0
  await Promise.all(Array.from({ length: width }, async () => {
    while (next < requests.length) await send(requests[next++])
  }))
  const rate = (requests.length * batch * 1000) / (performance.now() - begin)
  client.close()
  return rate
}
