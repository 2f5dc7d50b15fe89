/**
 * gRPC's reflection (`grpc.reflection.v1` and `v1alpha`), so that grpcurl and its like need no files. It needs no sign-in: it tells
 * what Milvus's public protobuf files tell, and nothing of what is stored here.
 */
import * as grpc from '@grpc/grpc-js'
import protobuf from 'protobufjs/light.js'
import type { NodeClock } from '../edge/system.ts'

export interface ReflectionOptions {
  readonly clock: Pick<NodeClock, 'setTimer'>
  /** A stream is ended after so long. */
  readonly maxStreamMs: number
}

export interface Reflection {
  /** Ends all streams. */
  stop(): void
}

/** One member is set. */
export interface ReflectionRequest {
  readonly host?: string | undefined
  readonly file_by_filename?: string | undefined
  readonly file_containing_symbol?: string | undefined
  readonly file_containing_extension?: { readonly containing_type?: string | undefined; readonly extension_number?: number | undefined } | undefined
  readonly all_extension_numbers_of_type?: string | undefined
  readonly list_services?: string | undefined
}

export type ReflectionAnswer =
  | { readonly file_descriptor_response: { readonly file_descriptor_proto: readonly Uint8Array[] } }
  | { readonly all_extension_numbers_response: { readonly base_type_name: string; readonly extension_number: readonly number[] } }
  | { readonly list_services_response: { readonly service: readonly { readonly name: string }[] } }
  | { readonly error_response: { readonly error_code: number; readonly error_message: string } }

interface Descriptors {
  readonly services: readonly string[]
  /** By its name and by all that it defines. */
  readonly fileOf: ReadonlyMap<string, DescribedFile>
  readonly types: ReadonlySet<string>
}

interface DescribedFile {
  readonly bytes: Uint8Array
  readonly dependencies: readonly string[]
}

const MAX_STREAMS = 100
const VERSIONS = ['v1', 'v1alpha'] as const

type Codec = { readonly request: protobuf.Type; readonly response: protobuf.Type }
type Method = grpc.MethodDefinition<Buffer, Buffer>
const passThrough = (bytes: Buffer): Buffer => bytes
const pathOf = (version: string): string => `/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`

export function addReflection(server: grpc.Server, { clock, maxStreamMs }: ReflectionOptions): Reflection {
  const streams = new Set<() => void>()
  const handle: grpc.handleBidiStreamingCall<Buffer, Buffer> = (call) => {
    if (streams.size >= MAX_STREAMS) {
      call.emit('error', Object.assign(new Error(`at most ${MAX_STREAMS} streams of reflection at a time`), { code: grpc.status.RESOURCE_EXHAUSTED }))
      return
    }
    const end = (): void => {
      call.end()
      forget()
    }
    const cancel = clock.setTimer(end, maxStreamMs)
    const forget = (): void => {
      cancel()
      streams.delete(end)
    }
    streams.add(end)
    call.once('cancelled', forget)
    call.once('close', forget)
    call.once('end', end)
    call.on('error', forget)
    call.on('data', (bytes: Buffer) => {
      // One after the other: what the client does not read is not made.
      call.pause()
      answerBytes(bytes).then(
        (answer) => {
          if (!streams.has(end)) return
          if (call.write(answer)) call.resume()
          else call.once('drain', () => call.resume())
        },
        (error: unknown) => call.emit('error', Object.assign(new Error(error instanceof Error ? error.message : 'not a request'), { code: grpc.status.INVALID_ARGUMENT })),
      )
    })
  }
  for (const version of VERSIONS) {
    const method: Method = { path: pathOf(version), requestStream: true, responseStream: true, requestSerialize: passThrough, requestDeserialize: passThrough, responseSerialize: passThrough, responseDeserialize: passThrough }
    server.addService({ ServerReflectionInfo: method }, { ServerReflectionInfo: handle })
  }
  return {
    stop() {
      for (const end of streams) end()
    },
  }
}

let loaded: Promise<{ readonly codec: Codec; readonly descriptors: Descriptors }> | undefined

/** Read when somebody asks first: most never do. */
export function loadReflection(): Promise<{ readonly codec: Codec; readonly descriptors: Descriptors }> {
  loaded ??= import('../wire/generated/reflection.ts').then(({ reflectedFiles, reflectionSchema }) => {
    const root = protobuf.Root.fromJSON(JSON.parse(reflectionSchema) as protobuf.INamespace)
    const codec = { request: root.lookupType('grpc.reflection.v1.ServerReflectionRequest'), response: root.lookupType('grpc.reflection.v1.ServerReflectionResponse') }
    const fileOf = new Map<string, DescribedFile>()
    for (const { name, dependencies, symbols, base64 } of reflectedFiles) {
      const file = { bytes: Buffer.from(base64, 'base64'), dependencies }
      for (const key of [name, ...symbols]) fileOf.set(key, file)
    }
    const names = reflectedFiles.flatMap(({ symbols }) => symbols)
    const services = ['milvus.proto.milvus.MilvusService', 'milvus.proto.milvus.ClientTelemetryService', 'grpc.health.v1.Health', ...VERSIONS.map((version) => `grpc.reflection.${version}.ServerReflection`)]
    return { codec, descriptors: { services, fileOf, types: new Set(names) } }
  })
  return loaded
}

async function answerBytes(bytes: Buffer): Promise<Buffer> {
  const { codec, descriptors } = await loadReflection()
  const asked = codec.request.decode(bytes)
  const request = codec.request.toObject(asked, { oneofs: false }) as ReflectionRequest
  const answer = answerReflection(descriptors, request)
  const encoded = codec.response.encode(codec.response.fromObject({ valid_host: request.host ?? '', original_request: request, ...answer })).finish()
  return Buffer.from(encoded.buffer, encoded.byteOffset, encoded.byteLength)
}

export function answerReflection({ services, fileOf, types }: Descriptors, request: ReflectionRequest): ReflectionAnswer {
  if (request.list_services !== undefined) return { list_services_response: { service: services.map((name) => ({ name })) } }
  const name = request.file_by_filename ?? request.file_containing_symbol
  if (name !== undefined) {
    const file = fileOf.get(name)
    return file === undefined ? notFound(name) : { file_descriptor_response: { file_descriptor_proto: withDependencies(file, fileOf) } }
  }
  // Proto3 has no extensions.
  const type = request.all_extension_numbers_of_type
  if (type !== undefined) return types.has(type) ? { all_extension_numbers_response: { base_type_name: type, extension_number: [] } } : notFound(type)
  if (request.file_containing_extension !== undefined) return notFound(`extension of ${request.file_containing_extension.containing_type ?? ''}`)
  return { error_response: { error_code: grpc.status.INVALID_ARGUMENT, error_message: 'expected a request of a kind that is known' } }
}

function notFound(name: string): ReflectionAnswer {
  return { error_response: { error_code: grpc.status.NOT_FOUND, error_message: `not found: ${name.slice(0, 200)}` } }
}

/** The file first, as its readers expect. */
function withDependencies(file: DescribedFile, fileOf: ReadonlyMap<string, DescribedFile>): Uint8Array[] {
  const files = new Set([file])
  for (const { dependencies } of files) {
    for (const name of dependencies) {
      const dependency = fileOf.get(name)
      if (dependency !== undefined) files.add(dependency)
    }
  }
  return [...files].map(({ bytes }) => bytes)
}
