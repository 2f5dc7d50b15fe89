import * as grpc from '@grpc/grpc-js'
import protobuf from 'protobufjs'
import * as descriptor from 'protobufjs/ext/descriptor.js'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../../src/edge/system.ts'
import type { Listener } from '../../src/server/listen.edge.ts'
import { loadReflection, type ReflectionAnswer, type ReflectionRequest } from '../../src/server/reflection.ts'
import { openServer } from '../../src/server/server.ts'
import { encodeMessage, methods } from '../../src/wire/index.ts'

const { codec } = await loadReflection()
let listener: Listener
let client: grpc.Client

beforeEach(async () => {
  listener = await openServer({ port: 0, handlers: {}, limits: { closeGraceMs: 200 }, clock: systemClock, http: (_request, response) => response.end() })
  client = new grpc.Client(`127.0.0.1:${listener.port}`, grpc.credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 })
})

afterEach(async () => {
  client.close()
  await listener.close()
})

const open = (version: string): grpc.ClientDuplexStream<Buffer, Buffer> =>
  client.makeBidiStreamRequest(`/grpc.reflection.${version}.ServerReflection/ServerReflectionInfo`, (bytes: Buffer) => bytes, (bytes: Buffer) => bytes)

async function ask(requests: readonly ReflectionRequest[], version = 'v1'): Promise<ReflectionAnswer[]> {
  const call = open(version)
  for (const request of requests) call.write(Buffer.from(codec.request.encode(codec.request.fromObject(request)).finish()))
  call.end()
  const answers: ReflectionAnswer[] = []
  for await (const bytes of call as AsyncIterable<Buffer>) answers.push(codec.response.toObject(codec.response.decode(bytes)) as ReflectionAnswer)
  return answers
}

async function files(request: ReflectionRequest): Promise<descriptor.IFileDescriptorProto[]> {
  const [answer] = await ask([request])
  if (answer === undefined || !('file_descriptor_response' in answer)) throw new Error(`no files: ${JSON.stringify(answer)}`)
  return answer.file_descriptor_response.file_descriptor_proto.map((bytes) => descriptor.FileDescriptorProto.decode(bytes) as unknown as descriptor.IFileDescriptorProto)
}

describe.each(['v1', 'v1alpha'])('reflection %s', (version) => {
  it('lists the services, and answers all that a stream asks, in order', async () => {
    const answers = await ask([{ list_services: '*' }, { file_by_filename: 'milvus/proto/common.proto' }, { all_extension_numbers_of_type: 'milvus.proto.common.Status' }], version)
    expect(answers.map((answer) => Object.keys(answer).find((key) => key.endsWith('_response')))).toEqual(['list_services_response', 'file_descriptor_response', 'all_extension_numbers_response'])
    expect(answers[0]).toMatchObject({
      list_services_response: {
        service: ['milvus.proto.milvus.MilvusService', 'milvus.proto.milvus.ClientTelemetryService', 'grpc.health.v1.Health', 'grpc.reflection.v1.ServerReflection', 'grpc.reflection.v1alpha.ServerReflection'].map((name) => ({ name })),
      },
    })
  })
})

it('gives files from which a client that has none calls every method', async () => {
  const file = await files({ file_containing_symbol: 'milvus.proto.milvus.MilvusService.Search' })
  const root = protobuf.Root.fromDescriptor({ file })
  root.resolveAll()
  for (const { service, name, request, response } of methods) {
    const told = root.lookupService(`milvus.proto.milvus.${service}`).methods[name]
    expect([told?.resolvedRequestType?.fullName, told?.resolvedResponseType?.fullName]).toEqual([request.fullName, response.fullName])
  }
  const request = { db_name: 'd', collection_name: 'c', partition_names: ['p'], search_params: [{ key: 'k', value: 'v' }], guarantee_timestamp: 7n, expr_template_values: { x: { int64_val: 5n } } }
  const type = root.lookupType('milvus.proto.milvus.SearchRequest')
  const seen = type.toObject(type.decode(encodeMessage('milvus.SearchRequest', request)), { longs: String })
  expect(seen).toMatchObject({ dbName: 'd', collectionName: 'c', partitionNames: ['p'], searchParams: [{ key: 'k', value: 'v' }], guaranteeTimestamp: '7', exprTemplateValues: { x: { int64Val: '5' } } })
})

it('each file names the files of all types that it uses, and no type is missing', async () => {
  const all = (await Promise.all(['milvus/proto/milvus.proto', 'grpc/health/v1.proto', 'grpc/reflection/v1.proto', 'grpc/reflection/v1alpha.proto'].map((name) => files({ file_by_filename: name })))).flat()
  const owners = new Map<string, string>()
  const used = new Map<string, Set<string>>()
  for (const file of all) {
    const uses = new Set<string>()
    used.set(String(file.name), uses)
    const visit = (scope: string) => (message: descriptor.IDescriptorProto): void => {
      const full = `${scope}.${message.name}`
      owners.set(full, String(file.name))
      for (const { typeName } of message.field ?? []) if (typeName) uses.add(typeName)
      message.nestedType?.forEach(visit(full))
      for (const { name } of message.enumType ?? []) owners.set(`${full}.${name}`, String(file.name))
    }
    file.messageType?.forEach(visit(`.${file.package}`))
    for (const { name } of file.enumType ?? []) owners.set(`.${file.package}.${name}`, String(file.name))
  }
  for (const file of all) {
    const reachable = new Set([file.name, ...(file.dependency ?? [])])
    for (const name of used.get(String(file.name)) ?? []) expect(reachable).toContain(owners.get(name))
  }
})

it('says what is not there, and refuses what is no request', async () => {
  const [symbol, extension, nothing] = await ask([{ file_containing_symbol: 'no.such.Thing' }, { file_containing_extension: { containing_type: 'milvus.proto.common.Status', extension_number: 1 } }, {}])
  expect(symbol).toMatchObject({ error_response: { error_code: grpc.status.NOT_FOUND } })
  expect(extension).toMatchObject({ error_response: { error_code: grpc.status.NOT_FOUND } })
  expect(nothing).toMatchObject({ error_response: { error_code: grpc.status.INVALID_ARGUMENT } })
  const call = open('v1')
  const failed = new Promise((resolve) => call.once('error', resolve))
  call.resume()
  call.write(Buffer.from([0x1a, 0xff]))
  expect(await failed).toMatchObject({ code: grpc.status.INVALID_ARGUMENT })
})

it('takes a hundred streams at a time, and ends them with the server', async () => {
  const calls = Array.from({ length: 101 }, () => open('v1'))
  const ends = calls.map((call) => new Promise<grpc.status>((resolve) => call.once('status', ({ code }) => resolve(code))))
  for (const call of calls) {
    call.on('error', () => undefined)
    call.resume()
    call.write(Buffer.from(codec.request.encode({ list_services: '' }).finish()))
  }
  expect(await Promise.race(ends)).toBe(grpc.status.RESOURCE_EXHAUSTED)
  await listener.close()
  const codes = await Promise.all(ends)
  expect(codes.filter((code) => code === grpc.status.RESOURCE_EXHAUSTED)).toHaveLength(1)
})
