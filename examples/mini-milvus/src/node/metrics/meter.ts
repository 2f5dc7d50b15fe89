/** What is counted as it happens: calls, and operations on metadata, log and storage. Names and labels are Milvus's; times are ms. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'
import type { NodeClock } from '../../edge/system.ts'
import type { HandlerTable, AnyHandler, CallContext } from '../../server/handlers.ts'

/** Milvus's: powers of two from 1 ms. */
const BUCKETS = Array.from({ length: 18 }, (_, power) => 2 ** power)

export const NODE_ID = '1'

type Labels = Readonly<Record<string, string>>

export class Meter {
  /** Of a process that joins a cluster, as it is known then. */
  nodeId = NODE_ID
  readonly #registry: Registry
  readonly #clock: Pick<NodeClock, 'monotonic'>
  readonly #counters = new Map<string, Counter>()
  readonly #gauges = new Map<string, Gauge>()
  readonly #histograms = new Map<string, Histogram>()

  constructor(registry: Registry, clock: Pick<NodeClock, 'monotonic'>) {
    this.#registry = registry
    this.#clock = clock
  }

  count(name: string, labels: Labels, by = 1): void {
    let counter = this.#counters.get(name)
    if (counter === undefined) {
      counter = new Counter({ name, help: name, labelNames: Object.keys(labels), registers: [this.#registry] })
      this.#counters.set(name, counter)
    }
    counter.inc(labels, by)
  }

  /** What goes up and down. */
  add(name: string, labels: Labels, by: number): void {
    let gauge = this.#gauges.get(name)
    if (gauge === undefined) {
      gauge = new Gauge({ name, help: name, labelNames: Object.keys(labels), registers: [this.#registry] })
      this.#gauges.set(name, gauge)
    }
    gauge.inc(labels, by)
  }

  observe(name: string, labels: Labels, value: number): void {
    this.#histogram(name, labels).observe(labels, value)
  }

  /** It is told of from now on, though nothing was observed yet. */
  begin(name: string, labels: Labels): void {
    if (!this.#histograms.has(name)) this.#histogram(name, labels).zero(labels)
  }

  #histogram(name: string, labels: Labels): Histogram {
    let histogram = this.#histograms.get(name)
    if (histogram === undefined) {
      histogram = new Histogram({ name, help: name, labelNames: Object.keys(labels), buckets: BUCKETS, registers: [this.#registry] })
      this.#histograms.set(name, histogram)
    }
    return histogram
  }

  /** Counts and times an operation. @param told with `total`, then `success` or `fail`, and how long it took */
  async watch<T>(run: () => Promise<T> | T, told: (status: 'success' | 'fail', ms: number) => void): Promise<T> {
    const since = this.#clock.monotonic()
    try {
      const result = await run()
      told('success', this.#clock.monotonic() - since)
      return result
    } catch (error) {
      told('fail', this.#clock.monotonic() - since)
      throw error
    }
  }

  /** The same handlers, each call counted. */
  handlers(table: HandlerTable): HandlerTable {
    return Object.fromEntries(Object.entries(table).map(([name, handler]) => [name, handler === undefined ? undefined : this.#handler(name, handler)]))
  }

  /** The same object, its async methods counted as operations of a store. */
  operations<T extends object>(target: T, family: 'meta' | 'storage' | 'msgstream', typeOf: (method: string) => string | undefined): T {
    const label = family === 'meta' ? 'meta_op_type' : family === 'storage' ? 'persistent_data_op_type' : 'message_op_type'
    const methods = new Map<string, (...args: unknown[]) => unknown>()
    return new Proxy(target, {
      get: (_target, property) => {
        const value: unknown = Reflect.get(target, property, target)
        if (typeof value !== 'function' || typeof property !== 'string') return value
        let method = methods.get(property)
        if (method !== undefined) return method
        const plain = (...args: unknown[]): unknown => Reflect.apply(value, target, args)
        const type = typeOf(property)
        method = type === undefined ? plain : (...args) => this.operation(family, label, type, () => plain(...args))
        methods.set(property, method)
        return method
      },
    })
  }

  operation<T>(family: string, label: string, type: string, run: () => Promise<T> | T): Promise<T> {
    this.count(`milvus_${family}_op_count`, { [label]: type, status: 'total' })
    return this.watch(run, (status, ms) => {
      this.count(`milvus_${family}_op_count`, { [label]: type, status })
      if (status === 'success') this.observe(`milvus_${family}_request_latency`, { [label]: type }, ms)
    })
  }

  #handler(name: string, handler: AnyHandler): AnyHandler {
    const base = { node_id: this.nodeId, function_name: name }
    const run = (request: never, call: CallContext): Promise<object> => {
      this.count('milvus_proxy_req_count', { ...base, status: 'total' })
      return this.watch(
        () => handler.run(request, call),
        (status, ms) => {
          this.count('milvus_proxy_req_count', { ...base, status })
          this.observe('milvus_proxy_req_latency', base, ms)
          this.#ofKind(name, handler.kind, status, ms)
        },
      )
    }
    return { ...handler, run }
  }

  #ofKind(name: string, kind: AnyHandler['kind'], status: 'success' | 'fail', ms: number): void {
    const type = name.toLowerCase()
    if (name === 'Search' || name === 'HybridSearch' || name === 'Query') {
      const query_type = name === 'Query' ? 'query' : name === 'Search' ? 'search' : 'hybrid_search'
      this.observe('milvus_proxy_sq_latency', { node_id: this.nodeId, query_type }, ms)
    } else if (name === 'Insert' || name === 'Upsert' || name === 'Delete') this.observe('milvus_proxy_mutation_latency', { node_id: this.nodeId, msg_type: type }, ms)
    else if (kind === 'ddl') {
      this.count('milvus_rootcoord_ddl_req_count', { function_name: name, status: 'total' })
      this.count('milvus_rootcoord_ddl_req_count', { function_name: name, status })
      this.observe('milvus_rootcoord_ddl_req_latency', { function_name: name }, ms)
      if (name === 'LoadCollection' || name === 'LoadPartitions') this.#coordinated('load', status, ms)
      if (name === 'ReleaseCollection' || name === 'ReleasePartitions') this.#coordinated('release', status, ms)
    }
  }

  #coordinated(what: 'load' | 'release', status: 'success' | 'fail', ms: number): void {
    this.count(`milvus_querycoord_${what}_req_count`, { status: 'total' })
    this.count(`milvus_querycoord_${what}_req_count`, { status })
    this.observe(`milvus_querycoord_${what}_latency`, {}, ms)
  }
}
