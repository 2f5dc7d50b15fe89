/** Clients of a cluster in a storm, and what they may rely on: what was acknowledged is there once, and an answer is never silently short. */
import { ConsistencyLevelEnum, MilvusClient } from '@zilliz/milvus2-sdk-node'

export const collection_name = 'storm'
/** A call that has not come back by then hangs; clients give up before. */
const HANG_MS = 60_000
const CALL_MS = 20_000
const PAUSE_MS = 30
const FAILED_PAUSE_MS = 500
const NEAREST = 4
const MAX_NOTES = 5_000
/** Milvus's number of a collection that is not there. */
const NOT_FOUND = 100

type Answer = { readonly code?: unknown; readonly error_code?: unknown; readonly reason?: unknown } | undefined
const isOk = (status: Answer): boolean => Number(status?.code) === 0

export interface StormCounts {
  inserts: number
  deletes: number
  searches: number
  ddl: number
  failures: number
}

export class StormClients {
  readonly acknowledged = new Set<number>()
  /** Deleted, or perhaps deleted. */
  readonly deleting = new Set<number>()
  readonly deleted = new Set<number>()
  readonly violations: string[] = []
  readonly counts: StormCounts = { inserts: 0, deletes: 0, searches: 0, ddl: 0, failures: 0 }
  readonly #addresses: () => readonly string[]
  readonly #random: () => number
  /** How often calls failed for what reason, without its numbers. */
  readonly #reasons = new Map<string, number>()
  /** What happened when, first the earliest. */
  readonly timeline: string[] = []
  readonly #begun = Date.now()
  #next = 1
  #lastReason = ''
  #isStopping = false
  #running: Promise<unknown> = Promise.resolve()

  constructor(addresses: () => readonly string[], random: () => number) {
    this.#addresses = addresses
    this.#random = random
  }

  /** Why the last call failed. */
  get lastReason(): string {
    return this.#lastReason
  }

  /** Why calls failed, the most frequent first. */
  reasons(): string[] {
    return [...this.#reasons].sort(([, a], [, b]) => b - a).map(([reason, count]) => `${count} x ${reason}`)
  }

  note(text: string): void {
    if (this.timeline.length < MAX_NOTES) this.timeline.push(`${((Date.now() - this.#begun) / 1_000).toFixed(1)} s: ${text}`)
  }

  start(): void {
    const loops = [() => this.#insert(0), () => this.#insert(1), () => this.#delete(), () => this.#search(0), () => this.#search(1), () => this.#ddl(), () => this.#flush()]
    this.#running = Promise.all(loops.map((loop) => loop()))
  }

  async stop(): Promise<void> {
    this.#isStopping = true
    await this.#running
  }

  #addressOf(index: number): string {
    const addresses = this.#addresses()
    return addresses[index % addresses.length] ?? ''
  }

  /** A client of the n-th proxy, whose first call may fail as any. */
  open(index: number): MilvusClient {
    const client = new MilvusClient({ address: this.#addressOf(index), timeout: CALL_MS, maxRetries: 0, logLevel: 'error' })
    client.connectPromise.catch(() => undefined)
    return client
  }

  /** Undefined where the call failed; a call that does not come back is a violation. */
  async call<T>(what: string, run: () => Promise<T>, statusOf: (answer: T) => Answer): Promise<T | undefined> {
    const begun = Date.now()
    let timer: ReturnType<typeof setTimeout> | undefined
    const hang = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        this.violations.push(`${what} hangs`)
        reject(new Error('hangs'))
      }, HANG_MS)
    })
    try {
      const answer = await Promise.race([run(), hang])
      if (isOk(statusOf(answer))) return answer
      this.#lastReason = `${what}: ${String(statusOf(answer)?.reason)}`
    } catch (error) {
      this.#lastReason = `${what}: ${error instanceof Error ? error.message : String(error)}`
    } finally {
      clearTimeout(timer)
    }
    const reason = this.#lastReason.replaceAll(/\d+/g, '#').slice(0, 160)
    this.#reasons.set(reason, (this.#reasons.get(reason) ?? 0) + 1)
    this.counts.failures++
    this.note(`${this.#lastReason.slice(0, 200)} (after ${Date.now() - begun} ms)`)
    return undefined
  }

  /** The answer of a strong query for all ids. */
  allIds(client: MilvusClient): Promise<number[] | undefined> {
    const run = async (): Promise<number[]> => {
      const ids: number[] = []
      for (let from = 0; from < this.#next + 10_000; from += 10_000) {
        const page = await client.query({ collection_name, filter: `id >= ${from} and id < ${from + 10_000}`, output_fields: ['id'], limit: 16_384, consistency_level: ConsistencyLevelEnum.Strong })
        if (!isOk(page.status)) throw new Error(String(page.status.reason))
        ids.push(...page.data.map((row) => Number(row['id'])))
      }
      return ids
    }
    return this.call('query', run, () => ({ code: 0 }))
  }

  /** Turns with one client, which is another when its proxy has another address. Making one takes much of a processor. */
  async #loop(index: number, turn: (client: MilvusClient) => Promise<boolean>, pauseMs = PAUSE_MS): Promise<void> {
    let at: string | undefined
    let client: MilvusClient | undefined
    while (!this.#isStopping) {
      const address = this.#addressOf(index)
      if (client === undefined || at !== address) {
        await client?.closeConnection()
        client = this.open(index)
        at = address
      }
      const isFine = await turn(client)
      await new Promise((resolve) => setTimeout(resolve, isFine ? pauseMs : FAILED_PAUSE_MS))
    }
    await client?.closeConnection()
  }

  #insert(index: number): Promise<void> {
    return this.#loop(index, async (client) => {
      const ids = Array.from({ length: 5 }, () => this.#next++)
      const answer = await this.call('insert', () => client.insert({ collection_name, data: ids.map((id) => ({ id, vec: [id, 1, 2, 3] })) }), ({ status }) => status)
      if (answer === undefined) return false
      for (const id of ids) this.acknowledged.add(id)
      this.counts.inserts++
      return true
    })
  }

  #delete(): Promise<void> {
    return this.#loop(1, async (client) => {
      const candidates = [...this.acknowledged].filter((id) => !this.deleting.has(id))
      const ids = candidates.length < 50 ? [] : [0, 1].map(() => candidates[Math.floor(this.#random() * candidates.length)] ?? 1)
      for (const id of ids) this.deleting.add(id)
      if (ids.length === 0) return true
      const answer = await this.call('delete', () => client.delete({ collection_name, ids }), ({ status }) => status)
      if (answer === undefined) return false
      for (const id of ids) this.deleted.add(id)
      this.counts.deletes++
      return true
    }, 100)
  }

  #search(index: number): Promise<void> {
    return this.#loop(index, async (client) => {
      const candidates = [...this.acknowledged]
      if (candidates.length === 0) return true
      const wanted = Array.from({ length: 5 }, (_, at) => (at === 0 ? candidates.at(-1) : candidates[Math.floor(this.#random() * candidates.length)]) ?? 1)
      const gone = new Set(this.deleted)
      const run = () => client.search({ collection_name, data: wanted.map((id) => [id, 1, 2, 3]), limit: NEAREST, output_fields: ['id'], consistency_level: ConsistencyLevelEnum.Strong })
      const answer = await this.call('search', run, ({ status }) => status)
      if (answer === undefined) return false
      const lists = answer.results as unknown as { id: string }[][]
      wanted.forEach((id, at) => {
        const hits = (lists[at] ?? []).map((hit) => Number(hit.id))
        if (!hits.includes(id) && !this.deleting.has(id)) this.violations.push(`a strong search missed row ${id}: ${hits.join(' ')}`)
        if (new Set(hits).size !== hits.length) this.violations.push(`a search doubled a row: ${hits.join(' ')}`)
        const back = hits.find((hit) => gone.has(hit))
        if (back !== undefined) this.violations.push(`a strong search found row ${back} that was deleted`)
      })
      this.counts.searches++
      return true
    })
  }

  /** What one proxy was told, the other knows. */
  #ddl(): Promise<void> {
    let made = 0
    const others: { at?: string; client?: MilvusClient } = {}
    return this.#loop(0, async (client) => {
      if (others.at !== this.#addressOf(1)) {
        await others.client?.closeConnection()
        Object.assign(others, { at: this.#addressOf(1), client: this.open(1) })
      }
      const other = others.client as MilvusClient
      const name = `ddl_${(made += 1)}`
      const fields = [{ name: 'id', data_type: 'Int64', is_primary_key: true }, { name: 'vec', data_type: 'FloatVector', dim: 4 }] as const
      const isMade = await this.call('create', () => client.createCollection({ collection_name: name, fields: [...fields], shards_num: 1 }), (status) => status)
      if (isMade !== undefined && (await this.#knows(other, name)) === false) this.violations.push(`${name} was made, and another proxy does not know it`)
      const isDropped = isMade === undefined ? undefined : await this.call('drop', () => client.dropCollection({ collection_name: name }), (status) => status)
      if (isDropped !== undefined && (await this.#knows(other, name)) === true) this.violations.push(`${name} was dropped, and another proxy still has it`)
      if (isDropped !== undefined) this.counts.ddl++
      return isDropped !== undefined
    }, 300).finally(() => others.client?.closeConnection())
  }

  /** Undefined where the proxy did not say. The client's own question takes every failure for a no. */
  async #knows(client: MilvusClient, name: string): Promise<boolean | undefined> {
    const isMissing = (status: Answer): boolean => Number(status?.code) === NOT_FOUND
    const answer = await this.call('describe', () => client.describeCollection({ collection_name: name }), ({ status }) => (isMissing(status) ? { code: 0 } : status))
    return answer === undefined ? undefined : !isMissing(answer.status)
  }

  #flush(): Promise<void> {
    return this.#loop(0, async (client) => (await this.call('flush', () => client.flush({ collection_names: [collection_name] }), ({ status }) => status)) !== undefined, 2_000)
  }
}
