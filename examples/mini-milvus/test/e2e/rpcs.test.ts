/** Every RPC of the service, called: those of tiers A and B are served, all others say that they are not. */
import * as grpc from '@grpc/grpc-js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { rpcRules } from '../../src/server/rpc-rules.ts'
import { decodeType, encodeType, methods, type MethodInfo } from '../../src/wire/index.ts'
import { tierA, tierB } from '../server/tiers.ts'
import { rawClient, type RawClient } from './raw-client.ts'
import { startTestNode, type TestNode } from './support.ts'

const UNSERVED = 10
const OK: number = grpc.status.OK
const names = methods.map(({ name }) => name)

let test: TestNode
let raw: RawClient
beforeAll(async () => {
  test = await startTestNode()
  raw = rawClient(test.node.address)
})
afterAll(async () => {
  raw.close()
  await test.close()
})

interface Outcome {
  /** Of the Status; undefined where gRPC itself failed. */
  readonly code: number | undefined
  readonly reason: string
  readonly grpcCode: number
}

async function outcome(method: MethodInfo): Promise<Outcome> {
  try {
    const response = decodeType(method.response, await raw.bytes(method.name, encodeType(method.request, {}))) as Record<string, unknown>
    const status = (response['status'] ?? response['alter_status'] ?? response) as { code?: number; reason?: string; response?: string }
    return { code: status.code ?? (method.name === 'Dummy' ? 0 : undefined), reason: status.reason ?? '', grpcCode: OK }
  } catch (error) {
    return { code: undefined, reason: (error as grpc.ServiceError).details, grpcCode: (error as grpc.ServiceError).code }
  }
}

describe('the RPCs of the service', () => {
  it('are 57 in tier A and 87 with tier B, all in the descriptor', () => {
    expect(new Set(tierA).size).toBe(57)
    expect(new Set([...tierA, ...tierB]).size).toBe(87)
    expect([...tierA, ...tierB].filter((name) => !names.includes(name))).toEqual([])
  })

  it('have a rule each, and no rule is of another', () => {
    expect(Object.keys(rpcRules).sort()).toEqual([...names].sort())
  })

  it('are served in tiers A and B', async () => {
    for (const name of [...tierA, ...tierB]) {
      const method = methods.find((candidate) => candidate.name === name)
      if (method === undefined) throw new Error(`no method ${name}`)
      const { code, grpcCode } = await outcome(method)
      expect([name, grpcCode, code === undefined || code === UNSERVED]).toEqual([name, OK, false])
    }
  })

  it('say so in their own response where they are not served', async () => {
    for (const method of methods.filter(({ name }) => !tierA.includes(name) && !tierB.includes(name))) {
      const { code, grpcCode, reason } = await outcome(method)
      const isBare = method.responseStream || method.requestStream || method.response.fields['status'] === undefined
      if (grpcCode !== OK) expect([method.name, grpcCode, isBare]).toEqual([method.name, grpc.status.UNIMPLEMENTED, true])
      else if (code === UNSERVED) expect([method.name, reason]).toEqual([method.name, expect.stringMatching(/ is not served by mini-milvus/)])
    }
  })
})
