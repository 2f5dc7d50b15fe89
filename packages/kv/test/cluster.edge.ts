/** Several Redis servers that belong together. */
import { Cluster, Redis } from 'ioredis'
import { afterAll } from 'vitest'
import { eventually } from '../src/testing/wait.edge.ts'
import { ownService, type Service } from './services.edge.ts'

export interface RedisCluster {
  readonly nodes: readonly Service[]
  /** A client that knows all nodes and is not connected: a pattern. */
  template(): Cluster
  /** The master that holds the slot of a key. */
  masterOf(key: string): Promise<Service>
  /** Makes the replica of the first master the master. */
  failOver(): Promise<void>
  /** Moves the slot of a key, with its keys, from its master to another. */
  moveSlotOf(key: string): Promise<void>
}

/** Two masters and a replica of the first. */
export async function startCluster(): Promise<RedisCluster> {
  const nodes = await Promise.all([1, 2, 3].map(() => ownService('redis', { isClusterNode: true, appendonly: 'always' })))
  const clients = nodes.map(({ url }) => new Redis(url))
  afterAll(() => clients.forEach((client) => client.disconnect()))
  const [first, second, third] = clients
  if (first === undefined || second === undefined || third === undefined) throw new Error('three nodes')
  await first.call('CLUSTER', 'ADDSLOTSRANGE', 0, 8191)
  await second.call('CLUSTER', 'ADDSLOTSRANGE', 8192, 16_383)
  for (const client of [second, third]) await client.call('CLUSTER', 'MEET', '127.0.0.1', nodes[0]?.ports['client'] ?? 0, nodes[0]?.ports['bus'] ?? 0)
  const isWhole = async (client: Redis): Promise<boolean> => /cluster_state:ok[^]*cluster_known_nodes:3/.test(String(await client.call('CLUSTER', 'INFO')))
  await eventually(async () => (await Promise.all(clients.map(isWhole))).every(Boolean), 20_000, 'the cluster to be whole')
  const idOf = async (client: Redis): Promise<string> => String(await client.call('CLUSTER', 'MYID'))
  await third.call('CLUSTER', 'REPLICATE', await idOf(first))
  await eventually(async () => /master_link_status:up/.test(await third.info('replication')), 20_000, 'the replica to follow')

  const indexOf = async (key: string): Promise<number> => {
    const slot = Number(await first.call('CLUSTER', 'KEYSLOT', key))
    const ranges = (await second.call('CLUSTER', 'SLOTS')) as [number, number, [string, number]][]
    const port = ranges.find(([low, high]) => low <= slot && slot <= high)?.[2][1]
    return nodes.findIndex(({ ports }) => ports['client'] === port)
  }
  return {
    nodes,
    template: () => new Cluster(nodes.map(({ ports }) => ({ host: '127.0.0.1', port: ports['client'] ?? 0 })), { lazyConnect: true }),
    masterOf: async (key) => nodes[await indexOf(key)] ?? Promise.reject(new Error(`nobody holds ${key}`)),
    async failOver() {
      await third.call('CLUSTER', 'FAILOVER')
      await eventually(async () => /role:master/.test(await third.info('replication')), 20_000, 'the replica to take over')
    },
    async moveSlotOf(key) {
      const at = await indexOf(key)
      const [from, to, target] = at === 1 ? [second, first, nodes[0]] : [clients[at] ?? first, second, nodes[1]]
      const slot = Number(await from.call('CLUSTER', 'KEYSLOT', key))
      await to.call('CLUSTER', 'SETSLOT', slot, 'IMPORTING', await idOf(from))
      await from.call('CLUSTER', 'SETSLOT', slot, 'MIGRATING', await idOf(to))
      for (;;) {
        const keys = (await from.call('CLUSTER', 'GETKEYSINSLOT', slot, 100)) as string[]
        if (keys.length === 0) break
        await from.call('MIGRATE', '127.0.0.1', target?.ports['client'] ?? 0, '', 0, 10_000, 'KEYS', ...keys)
      }
      for (const client of [to, from]) await client.call('CLUSTER', 'SETSLOT', slot, 'NODE', await idOf(to))
    },
  }
}

export interface SentinelGroup {
  readonly master: Service
  readonly replica: Service
  template(): Redis
}

/** A master, its replica, and a Sentinel that looks after them. */
export async function startSentinel(password: string): Promise<SentinelGroup> {
  const options = { password, appendonly: 'always' }
  const master = await ownService('redis', options)
  const port = master.ports['client'] ?? 0
  const replica = await ownService('redis', { ...options, args: ['--replicaof', '127.0.0.1', String(port)] })
  const sentinel = await ownService('redis', { sentinel: { name: 'mymaster', port, password } })
  const client = new Redis(sentinel.url)
  afterAll(() => client.disconnect())
  await eventually(async () => /num_slaves|name=mymaster,status=ok,address=[^,]*,slaves=1/.test(await client.info('sentinel')), 20_000, 'the Sentinel to know the replica')
  const sentinels = [{ host: '127.0.0.1', port: sentinel.ports['client'] ?? 0 }]
  return { master, replica, template: () => new Redis({ sentinels, name: 'mymaster', password, lazyConnect: true }) }
}
