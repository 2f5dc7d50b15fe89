/** The two services: timestamps on a bidirectional stream, and the health of gRPC's standard. */
import type { MethodDefinition } from '@grpc/grpc-js'
import { decodeHealth, decodeRequest, decodeResponse, encodeHealth, encodeRequest, encodeResponse } from './codec.ts'
import type { TimestampRequest, TimestampResponse } from './codec.ts'

export const streamMethod: MethodDefinition<TimestampRequest, TimestampResponse> = {
  path: '/timetick.tso.v1.TimestampOracle/Stream',
  requestStream: true,
  responseStream: true,
  requestSerialize: encodeRequest,
  requestDeserialize: decodeRequest,
  responseSerialize: encodeResponse,
  responseDeserialize: decodeResponse,
}

export const healthMethod: MethodDefinition<object, number> = {
  path: '/grpc.health.v1.Health/Check',
  requestStream: false,
  responseStream: false,
  requestSerialize: () => Buffer.alloc(0),
  // Which service is asked for does not matter: there is one.
  requestDeserialize: () => ({}),
  responseSerialize: encodeHealth,
  responseDeserialize: decodeHealth,
}

export const SERVING = 1
export const NOT_SERVING = 2
