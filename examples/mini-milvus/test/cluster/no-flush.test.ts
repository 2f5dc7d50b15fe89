/** A cluster refuses rule `flush` wherever it can be asked for. */
import { describe, expect, it } from 'vitest'
import { createNoStaging, refusingFlush } from '../../src/cluster/no-staging.ts'
import { startMiniMilvus } from '../../src/index.ts'
import type { CallContext, HandlerTable } from '../../src/server/handlers.ts'

const RULE = 'timetick.visibility'
const plain = { kind: 'ddl' as const, run: async () => ({}) }
const handlers = refusingFlush({ Connect: plain, CreateDatabase: plain, AlterDatabase: plain, CreateCollection: plain, AlterCollection: plain, DropCollection: plain })
const ask = async (rpc: keyof HandlerTable, request: object): Promise<object> => {
  const run = handlers[rpc]?.run as ((request: object, call: CallContext) => Promise<object>) | undefined
  if (run === undefined) throw new Error(`no handler of ${rpc}`)
  return run(request, {} as CallContext)
}
const refused = { message: expect.stringContaining('not by a cluster') as string }

describe('rule flush in a cluster', () => {
  it.each(['CreateDatabase', 'AlterDatabase', 'CreateCollection', 'AlterCollection'] as const)('is refused as a property by %s', async (rpc) => {
    await expect(ask(rpc, { properties: [{ key: RULE, value: ' Flush ' }] })).rejects.toMatchObject(refused)
    expect(await ask(rpc, { properties: [{ key: RULE, value: 'milvus' }, { key: 'collection.ttl.seconds', value: '10' }] })).toEqual({})
    expect(await ask(rpc, {})).toEqual({})
  })

  it('is refused as an option of a connection', async () => {
    await expect(ask('Connect', { client_info: { reserved: { visibility: 'flush' } } })).rejects.toMatchObject(refused)
    expect(await ask('Connect', { client_info: { reserved: { visibility: 'milvus' } } })).toEqual({})
    expect(await ask('Connect', { client_info: null })).toEqual({})
  })

  it('is refused as a parameter, before anything is opened', async () => {
    const started = startMiniMilvus({ inMemory: true, port: 0, metricsPort: 0, parameters: { 'cluster.roles': 'all', 'common.visibility': 'flush' } })
    await expect(started).rejects.toMatchObject({ code: 'STORES_INVALID', message: expect.stringContaining('visibility flush is served by a node that is alone') as string })
  })

  it('is refused with a write where it was set before the node became a cluster', async () => {
    await expect(createNoStaging().stage('a', {} as never)).rejects.toMatchObject(refused)
  })
})
