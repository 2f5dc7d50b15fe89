/** gRPC's standard health service (`grpc.health.v1.Health`), for probes and load balancers: it needs no sign-in, and tells no more than whether to come. */
import * as grpc from '@grpc/grpc-js'
import protobuf from 'protobufjs/light.js'
import type { NodeClock } from '../edge/system.ts'

export interface HealthOptions {
  readonly isServing: () => boolean
  readonly clock: Pick<NodeClock, 'setTimer'>
}

export interface Health {
  /** Tells all who watch that nothing is served any more, and ends their streams. */
  stop(): void
}

export interface HealthRequest {
  readonly service: string
}

export interface HealthResponse {
  readonly status: number
}

const SERVING = 1
const NOT_SERVING = 2
const SERVICE_UNKNOWN = 3
/** The whole server, and the service that it is there for. */
const SERVICES = new Set(['', 'milvus.proto.milvus.MilvusService'])
const MAX_WATCHES = 100
const LOOK_MS = 1000

const request = new protobuf.Type('HealthCheckRequest').add(new protobuf.Field('service', 1, 'string'))
const codec = {
  requestSerialize: (asked: HealthRequest): Buffer => Buffer.from(request.encode(asked).finish()),
  requestDeserialize: (bytes: Buffer): HealthRequest => request.decode(bytes) as unknown as HealthRequest,
  responseSerialize: ({ status }: HealthResponse): Buffer => Buffer.of(0x08, status),
  responseDeserialize: (bytes: Buffer): HealthResponse => ({ status: bytes[1] ?? 0 }),
}

export const healthMethods = {
  check: { path: '/grpc.health.v1.Health/Check', requestStream: false, responseStream: false, ...codec },
  watch: { path: '/grpc.health.v1.Health/Watch', requestStream: false, responseStream: true, ...codec },
} satisfies Record<string, grpc.MethodDefinition<HealthRequest, HealthResponse>>

interface Watch {
  readonly call: grpc.ServerWritableStream<HealthRequest, HealthResponse>
  told: number
}

export function addHealth(server: grpc.Server, { isServing, clock }: HealthOptions): Health {
  const watches = new Set<Watch>()
  let isStopped = false
  let cancel: () => void = () => undefined
  const status = (): number => (!isStopped && isServing() ? SERVING : NOT_SERVING)
  const tell = (): void => {
    const now = status()
    for (const watch of watches) {
      if (watch.told === now || watch.told === SERVICE_UNKNOWN) continue
      watch.told = now
      watch.call.write({ status: now })
    }
  }
  const look = (): void => {
    cancel = clock.setTimer(() => {
      tell()
      if (watches.size > 0) look()
    }, LOOK_MS)
  }
  const check: grpc.handleUnaryCall<HealthRequest, HealthResponse> = (call, callback) => {
    if (SERVICES.has(call.request.service)) return callback(null, { status: status() })
    callback({ code: grpc.status.NOT_FOUND, details: `expected \`service\` to be one of ${[...SERVICES].map((name) => JSON.stringify(name)).join(', ')}` })
  }
  const watch: grpc.handleServerStreamingCall<HealthRequest, HealthResponse> = (call) => {
    if (isStopped || watches.size >= MAX_WATCHES) {
      call.emit('error', Object.assign(new Error(`at most ${MAX_WATCHES} watch at a time`), { code: grpc.status.RESOURCE_EXHAUSTED }))
      return
    }
    const watched: Watch = { call, told: SERVICES.has(call.request.service) ? status() : SERVICE_UNKNOWN }
    call.write({ status: watched.told })
    watches.add(watched)
    if (watches.size === 1) look()
    const forget = (): void => {
      watches.delete(watched)
      if (watches.size === 0) cancel()
    }
    call.once('cancelled', forget)
    call.once('close', forget)
  }
  server.addService(healthMethods, { check, watch })
  return {
    stop() {
      isStopped = true
      cancel()
      tell()
      for (const { call } of watches) call.end()
      watches.clear()
    },
  }
}
