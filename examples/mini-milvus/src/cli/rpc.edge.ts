/** Calls of the program to a node that runs: bytes to bytes, over gRPC. */
import * as grpc from '@grpc/grpc-js'

export interface RpcClient {
  /** @param name of an RPC of MilvusService */
  call(name: string, request: Uint8Array): Promise<Uint8Array>
  close(): void
}

const MAX_MESSAGE_BYTES = 512 * 1024 * 1024
const same = (bytes: Buffer): Buffer => bytes

/** @param address `host:port` @param dbName of all calls */
export function connectRpc(address: string, dbName: string): RpcClient {
  const client = new grpc.Client(address, grpc.credentials.createInsecure(), { 'grpc.max_receive_message_length': MAX_MESSAGE_BYTES })
  const metadata = new grpc.Metadata()
  metadata.set('dbname', dbName)
  return {
    call: (name, request) =>
      new Promise((resolve, reject) => {
        client.makeUnaryRequest(`/milvus.proto.milvus.MilvusService/${name}`, same, same, Buffer.from(request), metadata, (error, value) => {
          if (error !== null) reject(error)
          else resolve(value ?? new Uint8Array(0))
        })
      }),
    close: () => client.close(),
  }
}
