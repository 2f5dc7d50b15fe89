/** Calls by name with the credentials of one user, or none. */
import * as grpc from '@grpc/grpc-js'
import { completeType, decodeType, encodeType, methods } from '../../src/wire/index.ts'

export interface Caller {
  /** The response; rejects with gRPC's error. */
  call(rpc: string, request?: object, more?: Readonly<Record<string, string>>): Promise<Record<string, unknown>>
  /** gRPC's status code of a call, 0 where it was answered. */
  grpcCode(rpc: string, request?: object, more?: Readonly<Record<string, string>>): Promise<number>
  close(): void
}

export function basic(user: string, password: string): string {
  return Buffer.from(`${user}:${password}`).toString('base64')
}

/** @param authorization the header as it is sent, or undefined for none */
export function callAs(address: string, authorization: string | undefined, credentials = grpc.credentials.createInsecure()): Caller {
  const client = new grpc.Client(address, credentials, { 'grpc.use_local_subchannel_pool': 1 })
  const pass = (value: Buffer): Buffer => value
  const call: Caller['call'] = (rpc, request = {}, more = {}) =>
    new Promise((resolve, reject) => {
      const method = methods.find(({ name }) => name === rpc)
      if (method === undefined) throw new Error(`no method ${rpc}`)
      const metadata = new grpc.Metadata()
      for (const [key, value] of Object.entries({ ...(authorization === undefined ? {} : { authorization }), ...more })) metadata.set(key, value)
      const done = (error: grpc.ServiceError | null, value?: Buffer): void =>
        error === null ? resolve(decodeType(method.response, value as Buffer) as Record<string, unknown>) : reject(error)
      client.makeUnaryRequest(method.path, pass, pass, Buffer.from(encodeType(method.request, completeType(method.request, request))), metadata, done)
    })
  return {
    call,
    grpcCode: (rpc, request, more) =>
      call(rpc, request, more).then(
        () => 0,
        (error: grpc.ServiceError) => error.code,
      ),
    close: () => client.close(),
  }
}
