/** A cluster refuses rule `flush` also where REST asks for it, and sessions, that would hold writes back for it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { refusingFlush } from '../../src/cluster/no-staging.ts'
import { createRestHandler } from '../../src/rest/index.ts'
import type { HandlerTable } from '../../src/server/handlers.ts'
import type { Listener } from '../../src/server/listen.edge.ts'
import { serve } from '../server/helpers.ts'

const asked: string[] = []
const plain = (rpc: string) => ({ kind: 'ddl' as const, run: async () => (asked.push(rpc), {}) })
const handlers: HandlerTable = refusingFlush(Object.fromEntries(['CreateDatabase', 'AlterDatabase', 'CreateCollection', 'AlterCollection', 'ShowCollections'].map((rpc) => [rpc, plain(rpc)])))
let listener: Listener
let url: string
beforeAll(async () => {
  const served = await serve({}, {}, createRestHandler({ handlers }))
  listener = served.listener
  url = `http://${served.address}/v2/vectordb`
})
afterAll(() => listener.close())

const post = async (path: string, body: object, headers: Record<string, string> = {}): Promise<{ code: number; message?: string }> => {
  const response = await fetch(`${url}/${path}`, { method: 'POST', body: JSON.stringify(body), headers })
  return (await response.json()) as { code: number; message?: string }
}
const properties = { 'timetick.visibility': 'flush' }
const refused = { code: expect.any(Number) as number, message: expect.stringContaining('served by a node that is alone, not by a cluster') as string }

describe('rule flush in a cluster, over REST', () => {
  it.each([
    ['databases/create', { dbName: 'd', properties }],
    ['databases/alter', { dbName: 'd', properties }],
    ['databases/alter_properties', { dbName: 'd', properties }],
    ['collections/create', { collectionName: 'c', dimension: 2, properties }],
    ['collections/alter_properties', { collectionName: 'c', properties }],
  ])('is refused by %s %j', async (path, body) => {
    asked.length = 0
    const answer = await post(path, body)
    expect(answer).toMatchObject(refused)
    expect(answer.code).not.toBe(0)
    expect(asked).toEqual([])
  })

  it.each(['new', 'new; end', '3Fq4w9zz'])('has no sessions: %s', async (session) => {
    asked.length = 0
    const answer = await post('collections/list', {}, { 'Timetick-Session': session })
    expect(answer).toMatchObject(refused)
    expect(answer.code).not.toBe(0)
    expect(asked).toEqual([])
    expect((await post('collections/list', {})).code).toBe(0)
  })
})
