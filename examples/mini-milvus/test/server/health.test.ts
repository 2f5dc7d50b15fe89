import * as grpc from '@grpc/grpc-js'
import { afterEach, expect, it } from 'vitest'
import { systemClock } from '../../src/edge/system.ts'
import { healthMethods, type HealthResponse } from '../../src/server/health.ts'
import type { Listener } from '../../src/server/listen.edge.ts'
import { openServer } from '../../src/server/server.ts'

const SERVING = 1
const NOT_SERVING = 2
const { check, watch } = healthMethods
let listener: Listener
let client: grpc.Client
let isServing = true

async function start(): Promise<void> {
  isServing = true
  listener = await openServer({ port: 0, handlers: {}, limits: { closeGraceMs: 200 }, clock: systemClock, http: (_request, response) => response.end(), isServing: () => isServing })
  client = new grpc.Client(`127.0.0.1:${listener.port}`, grpc.credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 })
}

afterEach(async () => {
  client.close()
  await listener.close()
})

const ask = (service: string): Promise<number | undefined> =>
  new Promise((resolve, reject) => {
    client.makeUnaryRequest(check.path, check.requestSerialize, check.responseDeserialize, { service }, (error, answer) => (error === null ? resolve(answer?.status) : reject(error)))
  })

it('says whether work may come, of the server and of its service alone', async () => {
  await start()
  expect(await ask('')).toBe(SERVING)
  expect(await ask('milvus.proto.milvus.MilvusService')).toBe(SERVING)
  isServing = false
  expect(await ask('')).toBe(NOT_SERVING)
  await expect(ask('other')).rejects.toMatchObject({ code: grpc.status.NOT_FOUND })
})

it('tells who watches of each change, and of the end', async () => {
  await start()
  const call = client.makeServerStreamRequest(watch.path, watch.requestSerialize, watch.responseDeserialize, { service: '' })
  const seen: number[] = []
  let next: () => void = () => undefined
  call.on('data', ({ status }: HealthResponse) => {
    seen.push(status)
    next()
  })
  const upTo = async (count: number): Promise<void> => {
    while (seen.length < count) await new Promise<void>((resolve) => (next = resolve))
  }
  await upTo(1)
  isServing = false
  await upTo(2)
  isServing = true
  await upTo(3)
  const ended = new Promise((resolve) => call.once('end', resolve))
  void listener.close()
  await upTo(4)
  await ended
  expect(seen).toEqual([SERVING, NOT_SERVING, SERVING, NOT_SERVING])
})

it('a service that is not known can be watched, and the number of watches is bounded', async () => {
  await start()
  const open = (service: string): grpc.ClientReadableStream<HealthResponse> => client.makeServerStreamRequest(watch.path, watch.requestSerialize, watch.responseDeserialize, { service })
  const unknown = open('other')
  expect(await new Promise((resolve) => unknown.once('data', resolve))).toEqual({ status: 3 })
  const others = Array.from({ length: 99 }, () => open(''))
  await Promise.all(others.map((call) => new Promise((resolve) => call.once('data', resolve))))
  const failed = await new Promise<grpc.ServiceError>((resolve) => open('').once('error', resolve as never))
  expect(failed.code).toBe(grpc.status.RESOURCE_EXHAUSTED)
  for (const call of [unknown, ...others]) call.on('error', () => undefined).cancel()
})
