/** The etcd backend with a simulated server and a network that loses, delays and cuts. */
import { createEngineKV } from '../../src/engine-kv.ts'
import type { EtcdCallOptions, EtcdClient, EtcdStream, EtcdWatchResponse } from '../../src/etcd/client.ts'
import { EtcdEngine } from '../../src/etcd/engine.ts'
import { etcdFeatures } from '../../src/etcd/features.ts'
import { type EtcdEvent, EtcdServer, inRange } from './etcd-server.ts'
import type { SimulatedStore } from './scenario.ts'
import type { World } from './world.ts'

/** Bugs on purpose: what drivers of etcd do, or did. */
export interface EtcdBugs {
  /** Sends again what may have been applied. */
  readonly repeatsWrites?: boolean
  /** Resumes at the server's revision, not behind what was delivered. */
  readonly resumesAtHeader?: boolean
  /** Asks again for what was delivered. */
  readonly resumesTooEarly?: boolean
  readonly dropsEvents?: boolean
  readonly splitsRevisions?: boolean
  readonly staleReads?: boolean
}

const TIMEOUT_MS = 400
const HEALTHY = { before: 0, after: 0, cutMs: Infinity }

class Network {
  rates: { before: number; after: number; cutMs: number }
  isDown = false
  readonly streams = new Set<WatchStream>()
  readonly world: World
  readonly server: EtcdServer
  readonly bugs: EtcdBugs

  constructor(world: World, server: EtcdServer, bugs: EtcdBugs) {
    this.world = world
    this.server = server
    this.bugs = bugs
    this.rates = {
      before: world.chance(0.6) ? world.between(0, 0.1) : 0,
      after: world.chance(0.6) ? world.between(0, 0.1) : 0,
      cutMs: world.chance(0.8) ? world.between(20, 300) : Infinity,
    }
  }

  /** One request and its answer. */
  call<T>(options: EtcdCallOptions | undefined, act: () => T, tries = 0): Promise<T> {
    const { world } = this
    return new Promise<T>((resolve, reject) => {
      const late = world.after(Math.max((options?.deadline ?? Infinity) - world.clock.now(), 0), () => reject(new Error('4 DEADLINE_EXCEEDED: Deadline exceeded')))
      const end = (settle: () => void): void => {
        late()
        settle()
      }
      const lose = (): void => {
        world.note('lost')
        if (world.chance(0.5)) return
        end(() => (this.bugs.repeatsWrites === true && tries < 3 ? this.call(options, act, tries + 1).then(resolve, reject) : reject(new Error('14 UNAVAILABLE: Connection dropped'))))
      }
      world.after(world.between(0.5, 8), () => {
        if (this.isDown) return end(() => reject(new Error('14 UNAVAILABLE: No connection established. Last error: connect ECONNREFUSED')))
        if (world.chance(this.rates.before)) return lose()
        let answer: { readonly value: T } | { readonly error: unknown }
        try {
          answer = { value: act() }
        } catch (error) {
          answer = { error }
        }
        const isLost = world.chance(this.rates.after)
        world.after(world.between(0.5, 8), () => (isLost ? lose() : end(() => ('error' in answer ? reject(answer.error) : resolve(answer.value)))))
      })
    })
  }

  cutAll(): void {
    for (const stream of this.streams) stream.fail('14 UNAVAILABLE: Connection dropped')
  }
}

class WatchStream implements EtcdStream<EtcdWatchResponse> {
  readonly #net: Network
  readonly #listeners = new Map<string, (argument: never) => void>()
  #key: { readonly key: Buffer; readonly range_end?: Buffer } | undefined
  #next = 0
  #isOver = false
  /** Answers arrive in order. */
  #arrival = 0

  constructor(net: Network) {
    this.#net = net
    net.streams.add(this)
  }

  on(event: string, listener: (argument: never) => void): this {
    this.#listeners.set(event, listener)
    return this
  }

  write(message: object): void {
    const { create_request: request } = message as { create_request: { key: Buffer; range_end?: Buffer; start_revision?: string } }
    const { world, server, bugs } = this.#net
    world.after(world.between(0.5, 8), () => {
      if (this.#isOver) return
      if (this.#net.isDown) return this.fail('14 UNAVAILABLE: No connection established')
      const start = request.start_revision === undefined ? server.revision + 1 : Number(request.start_revision)
      if (start <= server.compacted) {
        world.note('compacted watch')
        this.#emit({ canceled: true, compact_revision: String(server.compacted + 1) })
        return
      }
      this.#next = bugs.resumesAtHeader === true ? server.revision + 1 : bugs.resumesTooEarly === true ? Math.max(start - 1, 1) : start
      this.#key = request
      this.#emit({ created: true })
      this.pump()
    })
  }

  /** Sends what is new, a few revisions at a time, sometimes in fragments. */
  pump(): void {
    const { server, world, bugs } = this.#net
    const target = this.#key
    if (target === undefined || this.#isOver) return
    while (this.#next <= server.revision) {
      const upTo = Math.min(server.revision, this.#next + Math.floor(world.between(0, 4)))
      const events = server.log.filter(({ revision, kv }) => revision >= this.#next && revision <= upTo && inRange(kv.key.toString(), target.key, target.range_end))
      this.#next = upTo + 1
      if (bugs.dropsEvents === true && world.chance(0.02)) continue
      if (events.length > 1 && world.chance(0.3)) {
        world.note('fragment')
        this.#events(events.slice(0, 1), true)
        this.#events(events.slice(1), false)
      } else if (events.length > 0) this.#events(events, false)
      else if (world.chance(0.3)) this.#emit({})
    }
  }

  #events(events: readonly EtcdEvent[], isPart: boolean): void {
    this.#emit({ events, fragment: isPart && this.#net.bugs.splitsRevisions !== true })
  }

  #emit(part: Partial<EtcdWatchResponse>): void {
    const { world, server } = this.#net
    const message: EtcdWatchResponse = { header: { revision: String(server.revision) }, created: false, canceled: false, compact_revision: '0', events: [], ...part }
    this.#arrival = Math.max(this.#arrival, world.now + world.between(0.5, 8))
    world.after(this.#arrival - world.now, () => this.#tell('data', message))
  }

  fail(message: string): void {
    this.#tell('error', new Error(message))
    this.end()
  }

  #tell(event: string, argument: unknown): void {
    if (!this.#isOver) this.#listeners.get(event)?.(argument as never)
  }

  end(): void {
    this.#isOver = true
    this.#net.streams.delete(this)
  }

  cancel(): void {
    this.end()
  }
}

/** One answer, then its end. */
function keepAliveStream(net: Network, options: EtcdCallOptions | undefined): EtcdStream<{ readonly TTL: string }> {
  const listeners = new Map<string, (argument: never) => void>()
  return {
    on(event: string, listener: (argument: never) => void) {
      listeners.set(event, listener)
    },
    write(message: object) {
      const { ID } = message as { ID: string }
      net.call(options, () => net.server.keepAlive(ID)).then((TTL) => listeners.get('data')?.({ TTL } as never), (error: unknown) => listeners.get('error')?.(error as never))
    },
    end: () => undefined,
    cancel: () => undefined,
  }
}

function clientOf(net: Network): EtcdClient {
  const { server, world, bugs } = net
  const put = (request: object): ReturnType<EtcdServer['txn']> => server.txn({ compare: [], success: [request], failure: [] })
  return {
    kv: {
      range: (request, options) => net.call(options, () => {
        const isStale = bugs.staleReads === true && request.revision === undefined && server.revision - 2 > server.compacted && world.chance(0.05)
        return isStale ? server.range({ ...request, revision: server.revision - 2 }) : server.range(request)
      }),
      put: (request, options) => net.call(options, () => put({ request_put: request })),
      deleteRange: (request, options) => net.call(options, () => put({ request_delete_range: request })),
      txn: (request, options) => net.call(options, () => server.txn(request)),
    },
    leaseClient: {
      leaseGrant: ({ TTL }, options) => net.call(options, () => server.grant(Number(TTL))),
      leaseRevoke: ({ ID }, options) => net.call(options, () => server.revoke(String(ID))),
      leaseKeepAlive: async (options) => keepAliveStream(net, options),
    },
    watchClient: {
      watch: async () => new WatchStream(net),
    },
    close: () => undefined,
  }
}

export function etcdStore(world: World, bugs: EtcdBugs = {}): SimulatedStore {
  const server = new EtcdServer(world.clock)
  const net = new Network(world, server, bugs)
  server.onEvents = () => {
    for (const stream of net.streams) stream.pump()
  }
  const limits = { maxTransactionOps: 128, maxRequestBytes: 1e6 }
  const engine = new EtcdEngine({
    ...limits, client: clientOf(net), ownsClient: true, clock: world.clock, random: world.random, features: etcdFeatures(limits), timeoutMs: TIMEOUT_MS,
    maxWatchLagBytes: world.chance(0.3) ? 300 : 1e6,
  })
  const disturb = (): void => {
    if (net.rates === HEALTHY) return
    const dice = world.random()
    if (dice < 0.5) {
      world.note('cut')
      net.cutAll()
    } else if (dice < 0.75 || net.isDown) {
      world.note(net.isDown ? 'up' : 'down')
      net.isDown = !net.isDown
      net.cutAll()
      if (!net.isDown) server.renewAll()
    } else {
      world.note('compaction')
      server.compacted = Math.max(server.compacted, server.revision - Math.floor(world.between(0, 10)))
    }
    world.after(net.rates.cutMs * world.between(0.2, 2), disturb)
  }
  if (net.rates.cutMs !== Infinity) world.after(net.rates.cutMs, disturb)
  let isOver = false
  const tick = (): void => {
    server.tick()
    if (!isOver) world.after(500, tick)
  }
  tick()
  const kv = createEngineKV(engine, '')
  return {
    kv,
    heal() {
      net.rates = HEALTHY
      net.isDown = false
      world.after(60_000, () => void (isOver = true))
    },
  }
}
