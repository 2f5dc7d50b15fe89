/** What a proxy knows of how far a query node of another process is. */
import { expect, test } from 'vitest'
import type { QueryServiceApi } from '../../src/cluster/query-service.ts'
import { RemoteQueryNode } from '../../src/cluster/remote-query-node.ts'
import type { QueryRequest } from '../../src/querynode/api.ts'

const read = { collectionId: 1n, signal: new AbortController().signal } as QueryRequest
const noRows = { columns: [], keys: [] }

function open(answers: readonly ReadonlyMap<string, bigint>[]): { readonly node: RemoteQueryNode; readonly clock: { now: number } } {
  const clock = { now: 0 }
  let next = 0
  const api = { query: async () => ({ result: noRows, serviceTimes: answers[next++] }) } as unknown as QueryServiceApi
  return { node: new RemoteQueryNode({ nodeId: 1n, address: 'node:1', api, clock: { monotonic: () => clock.now }, metaRevision: () => 0n }), clock }
}

test('a channel that nobody writes to holds back no other one', async () => {
  const { node } = open([new Map([['a', 5n], ['still', 1n]]), new Map([['a', 9n]])])
  await node.query(read)
  await node.query(read)
  expect(node.serviceTimes()).toEqual(new Map([['a', 9n], ['still', 1n]]))
})

test('an answer that comes late takes nothing back', async () => {
  const { node } = open([new Map([['a', 9n]]), new Map([['a', 5n]])])
  await node.query(read)
  await node.query(read)
  expect(node.serviceTimes()).toEqual(new Map([['a', 9n]]))
})

test('it is silent about a channel until it tells of it', async () => {
  const { node, clock } = open([new Map([['a', 5n]])])
  expect(node.silentMs(['a'])).toBe(Infinity)
  await node.query(read)
  clock.now = 700
  expect(node.silentMs(['a'])).toBe(700)
  expect(node.silentMs(['a', 'b'])).toBe(Infinity)
})
