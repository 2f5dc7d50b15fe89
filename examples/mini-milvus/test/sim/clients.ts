/** Clients that write and read at random and hold every answer against the model. */
import { MilvusError } from '../../src/server/status.ts'
import type { Nodes } from './cluster.ts'
import { hitsOfSearch, queryRequest, rowsOfQuery, rowsRequest, searchRequest, STRONG, type Consistency } from './requests.ts'
import { RowModel, type Value } from './row-model.ts'
import { NoAnswer } from './sim-node.ts'
import type { World } from './world.ts'

export const KEYS = 48
/** In a cluster a write whose call was given up may still be on its way to the log, for so long. */
const LATE_MS = 20_000

/** A collection from its creation to its end. */
export class Instance {
  readonly name: string
  readonly model: RowModel
  /** Calls under way. Definitions that empty or drop it wait for none of them to be left. */
  calls = 0
  locked = false
  gone = false
  lastAck = 0n
  /** Keys of inserts that are under way, or may be: an insert looks for no row that is there. */
  readonly inserting = new Set<readonly number[]>()

  constructor(name: string, ordersByTime = true) {
    this.name = name
    this.model = new RowModel(ordersByTime)
  }
}

export class Clients {
  readonly #world: World
  readonly #cluster: Nodes
  #version = 0

  constructor(world: World, cluster: Nodes) {
    this.#world = world
    this.#cluster = cluster
  }

  /** One write to a collection. */
  async write(instance: Instance): Promise<void> {
    const { random } = this.#world
    const kind = random.pick(['insert', 'upsert', 'upsert', 'delete'] as const)
    const some = [...new Set(Array.from({ length: random.integer(1, 8) }, () => random.integer(0, KEYS - 1)))]
    const ids = kind === 'insert' ? some.filter((key) => instance.model.isFree(key)) : kind === 'upsert' ? this.#replaceable(instance, some) : some
    if (ids.length === 0) return
    if (kind === 'insert') instance.inserting.add(ids)
    const version = (this.#version += 1)
    const write = instance.model.begin(ids, kind === 'delete' ? undefined : version)
    this.#world.note(`${kind} ${instance.name} v${version} ${ids.join(' ')}`)
    instance.calls++
    try {
      const { node } = this.#cluster
      const collection_name = instance.name
      const { timestamp } =
        kind === 'insert' ? await node.call('Insert', rowsRequest(collection_name, ids, version))
        : kind === 'upsert' ? await node.call('Upsert', rowsRequest(collection_name, ids, version))
        : await node.call('Delete', { collection_name, expr: `id in [${ids.join(', ')}]` })
      instance.model.acked(write, timestamp)
      if (timestamp > instance.lastAck) instance.lastAck = timestamp
      this.#world.note(`acked v${version}`)
      this.#world.sometimes(`${kind} answered`)
      this.#over(instance, ids)
    } catch (error) {
      this.#refused(kind, error)
      const ended = (): void => {
        instance.model.doubtful(write)
        this.#over(instance, ids)
      }
      if (this.#world.ordersByTime) ended()
      else void this.#world.sleep(LATE_MS).then(ended)
    }
  }

  #over(instance: Instance, ids: readonly number[]): void {
    instance.inserting.delete(ids)
    instance.calls--
  }

  /** Where two calls take two ways, an insert may be stamped later than an upsert that began behind it: then both rows are there. */
  #replaceable(instance: Instance, keys: readonly number[]): readonly number[] {
    if (this.#world.ordersByTime) return keys
    const inserting = new Set([...instance.inserting].flat())
    return keys.filter((key) => !inserting.has(key))
  }

  async read(instance: Instance): Promise<void> {
    const { random } = this.#world
    instance.calls++
    try {
      const roll = random.integer(0, 9)
      if (roll < 3) await this.strongQuery(instance)
      else if (roll < 5) await this.#filtered(instance)
      else if (roll === 5) await this.#count(instance)
      else if (roll < 8) await this.#search(instance)
      else await this.#weakQuery(instance)
      if (this.#world.diskIsFull) this.#world.sometimes('read on a full disk')
    } catch (error) {
      this.#refused('read', error)
    } finally {
      instance.calls--
    }
  }

  /** All rows; where nothing was written meanwhile, what was in doubt is known now. */
  async strongQuery(instance: Instance): Promise<void> {
    const start = instance.model.tick()
    const rows = await this.#query(instance, 'id >= 0', STRONG)
    for (const key of instance.model.keys) {
      this.#check(instance, 'query', key, rows.get(key), instance.model.strong(key, start))
      instance.model.resolve(key, start, rows.get(key))
    }
    this.#strangers(instance, rows)
    this.#world.sometimes('strong query')
  }

  async #filtered(instance: Instance): Promise<void> {
    const { random } = this.#world
    const asked = [...new Set(Array.from({ length: 6 }, () => random.integer(0, KEYS - 1)))]
    const start = instance.model.tick()
    const rows = await this.#query(instance, `id in [${asked.join(', ')}]`, STRONG)
    for (const key of asked) this.#check(instance, 'query by key', key, rows.get(key), instance.model.strong(key, start))
    for (const key of rows.keys()) if (!asked.includes(key)) this.#world.violated(`${instance.name}: key ${key} was not asked for`)
  }

  async #count(instance: Instance): Promise<void> {
    const start = instance.model.tick()
    const response = await this.#cluster.node.call('Query', queryRequest(instance.name, '', ['count(*)'], STRONG))
    const count = Number(response.fields_data[0]?.scalars?.long_data?.data[0] ?? -1n)
    let least = 0
    let most = 0
    for (const key of instance.model.keys) {
      const allowed = instance.model.strong(key, start)
      if (!allowed.has(undefined)) least++
      if (allowed.size > 1 || !allowed.has(undefined)) most++
    }
    if (count < least || count > most) this.#world.violated(`${instance.name}: count(*) is ${count}, expected ${least} to ${most}`)
    this.#world.sometimes('count')
  }

  async #search(instance: Instance): Promise<void> {
    const { random } = this.#world
    const point: [number, number] = [random.integer(0, KEYS), random.integer(0, this.#version + 1)]
    const limit = 5
    const start = instance.model.tick()
    const hits = hitsOfSearch(await this.#cluster.node.call('Search', searchRequest(instance.name, point, limit, STRONG)))
    const far = (id: number, version: number): number => (id - point[0]) ** 2 + (version - point[1]) ** 2
    const seen = new Map<number, number>()
    for (const { id, version, score } of hits) {
      if (seen.has(id)) this.#world.violated(`${instance.name}: search gave key ${id} twice`)
      seen.set(id, version)
      this.#check(instance, 'search', id, version, instance.model.strong(id, start))
      if (score !== far(id, version)) this.#world.violated(`${instance.name}: score ${score} of key ${id}, expected ${far(id, version)}`)
    }
    const worst = hits.length < limit ? Infinity : Math.max(...hits.map(({ score }) => score))
    for (const key of instance.model.keys) {
      const [only, ...others] = instance.model.strong(key, start)
      if (others.length > 0 || only === undefined || seen.has(key)) continue
      if (far(key, only) < worst) this.#world.violated(`${instance.name}: search missed key ${key} version ${only}`)
    }
    this.#world.sometimes('search')
  }

  /** Session, bounded and eventual reads: nothing that was never written, and all that their guarantee covers. */
  async #weakQuery(instance: Instance): Promise<void> {
    const { random } = this.#world
    const level = random.pick(['session', 'bounded', 'eventual'] as const)
    const guarantee = level === 'session' ? instance.lastAck : 0n
    const consistency_level = level === 'session' ? 1 : level === 'bounded' ? 2 : 3
    const rows = await this.#query(instance, 'id >= 0', { consistency_level, guarantee_timestamp: guarantee })
    for (const key of instance.model.keys) this.#check(instance, level, key, rows.get(key), instance.model.weak(key, guarantee))
    this.#strangers(instance, rows)
    this.#world.sometimes(`${level} query`)
  }

  async #query(instance: Instance, expr: string, consistency: Consistency): Promise<Map<number, number>> {
    const response = await this.#cluster.node.call('Query', queryRequest(instance.name, expr, ['id', 'version'], consistency))
    const rows = new Map<number, number>()
    for (const [id, version] of rowsOfQuery(response)) {
      if (rows.has(id)) this.#world.violated(`${instance.name}: key ${id} twice, versions ${rows.get(id)} and ${version}`)
      rows.set(id, version)
    }
    return rows
  }

  #check(instance: Instance, how: string, key: number, seen: Value, allowed: Set<Value>): void {
    if (allowed.size > 1) this.#world.sometimes('a key in doubt was read')
    if (!allowed.has(seen)) this.#world.violated(`${instance.name}: ${how} saw ${seen ?? 'nothing'} under key ${key}, expected ${[...allowed].map((value) => value ?? 'nothing').join(' or ')}`)
  }

  #strangers(instance: Instance, rows: ReadonlyMap<number, number>): void {
    const known = new Set(instance.model.keys)
    for (const key of rows.keys()) if (!known.has(key)) this.#world.violated(`${instance.name}: key ${key} was never written`)
  }

  /** A refusal is an answer; one that nobody meant is a defect. */
  #refused(what: string, error: unknown): void {
    this.#world.note(`${what} refused: ${String(error)}`)
    if (error instanceof NoAnswer) this.#world.sometimes('no answer')
    else if (error instanceof MilvusError) this.#world.sometimes(`${what} refused with ${error.code}`)
    else this.#world.violated(`${what} failed without a code: ${error instanceof Error ? (error.stack ?? '') : String(error)}`)
  }
}
