/**
 * Calls that look several times see one moment where the query nodes are other processes: rows are written, deleted, flushed and handed
 * over between two looks. A page of an iterator is as if nothing had been; another call is as before all of it, or as behind all of it.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createClusterHandlers } from '../../src/cluster/handlers.ts'
import type { ClusterMember } from '../../src/cluster/member.ts'
import type { RemoteQueryNodes } from '../../src/cluster/remote-query-nodes.ts'
import { allowAll, type RpcName } from '../../src/server/handlers.ts'
import type { Init, Rpcs } from '../../src/wire/index.ts'
import type { Staging } from '../../src/staging/staging.ts'
import { Life } from '../sim/life.ts'
import { createRequest, hitsOfSearch, indexRequest, queryRequest, rowsOfQuery, rowsRequest, searchRequest, STRONG } from '../sim/requests.ts'
import { SimulatedNode } from '../sim/sim-node.ts'
import { SmallCluster } from './small-cluster.ts'

const SETTINGS = { 'rootCoord.dmlChannelNum': '2', 'queryCoord.grace': '0ms', 'queryCoord.interval': '50ms', 'proxy.iteratorTimeout': '30s', 'compaction.minSegments': '1000', 'compaction.deleteShare': '1' }
const ROWS = 60
const BATCH = 10
const GROUPS = 4
const NEAR = 20
const ids = (from: number, count: number): number[] => Array.from({ length: count }, (_, index) => from + index)

let cluster: SmallCluster
let proxy: ClusterMember
let node: SimulatedNode<unknown>
/** Runs before each look of a call but its first. */
let between: (() => Promise<void>) | undefined
let looks = 0

const call = <Name extends RpcName>(rpc: Name, request: Init<Rpcs[Name]['request']>): Promise<Rpcs[Name]['response']> => node.call(rpc, request)

/** As it is, but that something happens when the first look has its answer: those after it wait for that. */
function disturbed(nodes: RemoteQueryNodes): RemoteQueryNodes {
  let happened: Promise<void> | undefined
  const look = async (run: () => Promise<unknown>): Promise<unknown> => {
    looks += 1
    const happen = between
    if (happen === undefined) return run()
    if (looks > 1) {
      await happened
      return run()
    }
    let done = (): void => undefined
    happened = new Promise((resolve) => (done = resolve))
    const answer = await run()
    await happen()
    done()
    return answer
  }
  return new Proxy(nodes, {
    get(target, property) {
      const value: unknown = Reflect.get(target, property, target)
      if (typeof value !== 'function') return value
      const run = (...args: unknown[]): unknown => Reflect.apply(value, target, args)
      return property === 'search' || property === 'query' ? (...args: unknown[]) => look(async () => run(...args)) : run
    },
  })
}

beforeAll(async () => {
  cluster = new SmallCluster(SETTINGS)
  await cluster.open('leader', ['coordinator', 'data'])
  for (const name of ['q1', 'q2']) await cluster.open(name, ['query'])
  proxy = await cluster.open('p', ['proxy'])
  await cluster.until('somebody who leads', () => proxy.mirror.databases().length > 0)
  const life = new Life(cluster.world)
  const { parameters } = cluster
  const member: ClusterMember = { ...proxy, queryNodes: disturbed(proxy.queryNodes) }
  // Rule milvus: nothing is ever staged.
  const staging = { flush: async () => 0n, lastCommit: () => 0n, alone: (work: () => Promise<unknown>) => work() } as unknown as Staging
  node = new SimulatedNode<unknown>(life, proxy, parameters, { handlers: createClusterHandlers({ member, staging, parameters, clock: life }), authorize: allowAll }, [])
}, 60_000)
afterAll(async () => {
  await cluster.close()
})

async function until(isSo: () => Promise<boolean>): Promise<void> {
  while (!(await isSo())) await cluster.world.sleep(20)
}

/** All rows so far are in segments, and both query nodes have some. */
async function flush(name: string): Promise<void> {
  const { mirror, channels, queryNodes, timestamps } = proxy
  const collection = mirror.findCollection('default', name)
  if (collection === undefined) throw new Error(`there is no ${name}`)
  const ts = await timestamps.allocOne()
  for (const { vchannel, pchannel } of collection.shards) await channels.flushShard({ collectionId: collection.id, vchannel, pchannel }, ts)
  await until(async () => {
    await queryNodes.refresh()
    const served = queryNodes.served(collection.id)
    const wanted = mirror.segments(collection.id).filter(({ level }) => level === 'L1')
    return wanted.length > 0 && wanted.every(({ id }) => served.has(id))
  })
}

/** Half of the rows in segments, half growing; row `id` is at (id, version), its version also its group. */
async function fill(name: string): Promise<void> {
  await call('CreateCollection', createRequest(name, 2))
  await call('CreateIndex', indexRequest(name))
  await call('LoadCollection', { collection_name: name, replica_number: 1 })
  await until(async () => (await call('GetLoadingProgress', { collection_name: name })).progress === 100n)
  // The nearest to the origin are of one group, so that a few looks are needed for more of them.
  for (const half of [ids(0, ROWS / 2), ids(ROWS / 2, ROWS / 2)]) {
    for (const [group, members] of groupsOf(half)) await call('Insert', rowsRequest(name, members, group))
    if (half[0] === 0) await flush(name)
  }
}

const groupOf = (id: number): number => (id < NEAR ? 0 : id % GROUPS)

function groupsOf(half: readonly number[]): [number, number[]][] {
  return ids(0, GROUPS).flatMap((group): [number, number[]][] => {
    const members = half.filter((id) => groupOf(id) === group)
    return members.length === 0 ? [] : [[group, members]]
  })
}

let rounds = 0

/** Rows go, come and change. */
async function write(name: string): Promise<void> {
  const round = ++rounds
  await call('Delete', { collection_name: name, expr: `id in [${ids(0, ROWS).filter((id) => id % 3 === round % 3).join(', ')}]` })
  await call('Upsert', rowsRequest(name, ids(0, ROWS).filter((id) => id % 3 === (round + 1) % 3), 100 + round))
  await call('Insert', rowsRequest(name, ids(1_000 * round, 5), 200 + round))
  // It is there, for those who ask anew.
  const { fields_data } = await call('Query', queryRequest(name, `id >= ${1_000 * round} && id < ${1_000 * round + 10}`, ['count(*)'], STRONG))
  expect(fields_data[0]?.scalars?.long_data?.data).toEqual([5n])
}

/** The same; then all that is growing becomes segments, and is handed over. */
async function disturb(name: string): Promise<void> {
  await write(name)
  await flush(name)
}

interface Answers<Result> {
  readonly before: Result
  /** Of a call that was under way while it happened. */
  readonly meanwhile: Result
  readonly after: Result
}

async function around<Result>(ask: () => Promise<Result>, happens: () => Promise<void>): Promise<Answers<Result>> {
  const before = await ask()
  looks = 0
  between = async () => {
    between = undefined
    await happens()
  }
  const meanwhile = await ask()
  expect(looks).toBeGreaterThan(1)
  expect(between).toBeUndefined()
  return { before, meanwhile, after: await ask() }
}

async function seesOneMoment<Result>(name: string, ask: () => Promise<Result>): Promise<Result> {
  // What is only written can still be told apart: the call looks at its moment.
  const written = await around(ask, () => write(name))
  expect(written.meanwhile).toEqual(written.before)
  expect(written.after).not.toEqual(written.before)
  // Nodes let go what is in other segments by now: the call begins anew, with all of its looks.
  const flushed = await around(ask, () => disturb(name))
  expect(flushed.after).not.toEqual(flushed.before)
  expect([flushed.before, flushed.after]).toContainEqual(flushed.meanwhile)
  return written.before
}

describe('one moment of query nodes in other processes', () => {
  it('is what a hybrid search sees', async () => {
    await cluster.run((async () => {
      await fill('hybrid')
      const part = (point: readonly [number, number]) => searchRequest('hybrid', point, 10, STRONG)
      const ask = async () => hitsOfSearch(await call('HybridSearch', {
        collection_name: 'hybrid', requests: [part([0, 0]), part([40, 0])], output_fields: ['version'], ...STRONG,
        rank_params: [{ key: 'strategy', value: 'rrf' }, { key: 'params', value: '{"k":60}' }, { key: 'limit', value: '20' }],
      }))
      expect(await seesOneMoment('hybrid', ask)).toHaveLength(20)
    })())
  })

  it('is what a grouped search sees', async () => {
    await cluster.run((async () => {
      await fill('grouped')
      const request = searchRequest('grouped', [0, 0], GROUPS, STRONG)
      const ask = async () => hitsOfSearch(await call('Search', { ...request, search_params: [...(request.search_params ?? []), { key: 'group_by_field', value: 'version' }] }))
      const found = await seesOneMoment('grouped', ask)
      expect(new Set(found.map(({ version }) => version)).size).toBe(GROUPS)
    })())
  })

  it('is what all pages of an iterator see', async () => {
    await cluster.run((async () => {
      await fill('paged')
      const page = (after: number, guarantee_timestamp: bigint) => call('Query', {
        ...queryRequest('paged', `id > ${after}`, ['id', 'version'], { consistency_level: 0, guarantee_timestamp }),
        query_params: [{ key: 'iterator', value: 'True' }, { key: 'limit', value: String(BATCH) }],
      })
      const first = await page(-1, 0n)
      const found = rowsOfQuery(first)
      while (found.length < ROWS) {
        await disturb('paged')
        const more = rowsOfQuery(await page(found.at(-1)?.[0] ?? 0, first.session_ts))
        expect(more).toHaveLength(Math.min(BATCH, ROWS - found.length))
        found.push(...more)
      }
      expect(found).toEqual(ids(0, ROWS).map((id) => [id, groupOf(id)]))
    })())
  })
})
