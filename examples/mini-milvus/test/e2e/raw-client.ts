/** gRPC without an SDK: for what SDKs cannot say, or say only right. */
import * as grpc from '@grpc/grpc-js'
import { completeType, decodeType, encodeType, methods } from '../../src/wire/index.ts'

export interface RawClient {
  call(method: string, request: object): Promise<Record<string, unknown>>
  /** Any bytes as the request. */
  bytes(method: string, bytes: Uint8Array, options?: grpc.CallOptions): Promise<Buffer>
  close(): void
}

export function rawClient(address: string): RawClient {
  const client = new grpc.Client(address, grpc.credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1, 'grpc.max_send_message_length': -1 })
  const pass = (value: Buffer): Buffer => value
  const find = (name: string) => {
    const method = methods.find((candidate) => candidate.name === name)
    if (method === undefined) throw new Error(`no method ${name}`)
    return method
  }
  const bytes = (name: string, data: Uint8Array, options: grpc.CallOptions = {}): Promise<Buffer> =>
    new Promise((resolve, reject) => {
      const done = (error: grpc.ServiceError | null, value?: Buffer): void => (error === null ? resolve(value as Buffer) : reject(error))
      client.makeUnaryRequest(find(name).path, pass, pass, Buffer.from(data), new grpc.Metadata(), options, done)
    })
  return {
    async call(name, request) {
      const method = find(name)
      return decodeType(method.response, await bytes(name, encodeType(method.request, completeType(method.request, request)))) as Record<string, unknown>
    },
    bytes,
    close: () => client.close(),
  }
}
