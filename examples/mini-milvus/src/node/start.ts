/// <reference lib="esnext.disposable" />
/** A whole mini-milvus in this process. */
import type { Mq } from '@timetick/msgstream'
import type { FileMq } from '@timetick/msgstream/file'
import type { GlobalParamsTable } from '@timetick/paramtable'
import type { Watchdog } from '@timetick/watchdog'
import { collectDefaultMetrics, Registry } from 'prom-client'
import type { ClusterRole } from '../cluster/membership.ts'
import { clusterRoles } from '../cluster/parameters.ts'
import { startClusterNode } from '../cluster/start.ts'
import type { Catalog } from '../coordinator/catalog.ts'
import { systemClock, type NodeClock } from '../edge/system.ts'
import { openEngine } from '../engine/index.ts'
import type { HandlerTable } from '../server/handlers.ts'
import type { Listener } from '../server/listen.edge.ts'
import { mountInsight } from '../insight/mount.ts'
import { createNodeView, type NodeView } from '../insight/node-view.ts'
import { createRestHandler } from '../rest/index.ts'
import { openServer } from '../server/server.ts'
import { openCore, type NodeCore, type Part } from './core.ts'
import { enterDataFolder, prepareDataFolder, tellHolder } from './data-folder.edge.ts'
import { openClients, type NodeClients } from './clients.ts'
import { createHandlers } from './handlers.ts'
import { silentLogger, type NodeLogger } from './logger.ts'
import { countChanges } from './metrics/changes.ts'
import { registerClientGauges } from './metrics/client-gauges.ts'
import { registerStagingGauges } from './metrics/staging-gauges.ts'
import { registerGauges } from './metrics/gauges.ts'
import { Meter } from './metrics/meter.ts'
import { meteredStores } from './metrics/metered-stores.ts'
import { isReady, openMetricsServer, type MetricsServer } from './metrics-server.ts'
import { createParameters } from './parameters.ts'
import { limitsOf, tlsOf } from './security-parameters.ts'
import { openSecurity, type Security } from './security.ts'
import { storeChoices } from './store-parameters.ts'
import { createSpillFolder, createTemporarySpill } from '../staging/spill.edge.ts'
import type { SpillFolder } from '../staging/spill.ts'
import { openStores } from './stores.ts'
import { refuseUnfinishedMove } from './unfinished-move.ts'

export interface MiniMilvusOptions {
  /** Keep everything in memory. @default false */
  readonly inMemory?: boolean | undefined
  /** Folder of the data. @default './mini-milvus-data' */
  readonly dataDir?: string | undefined
  /** gRPC and REST. 0: any free one. @default 19530 */
  readonly port?: number | undefined
  /** @default '127.0.0.1' */
  readonly host?: string | undefined
  /** Health and metrics; `false` for none, 0 for any free port. @default false */
  readonly metricsPort?: number | false | undefined
  /** More parameters by key, such as `{ 'dataNode.sealBytes': '8m' }`. They win over environment and file. */
  readonly parameters?: Readonly<Record<string, string | number | boolean>> | undefined
  /** Variables to read `MINI_MILVUS_…` from. @default none */
  readonly environment?: Readonly<Record<string, string | undefined>> | undefined
  /** @default silent */
  readonly logger?: NodeLogger | undefined
}

export interface MiniMilvus extends AsyncDisposable {
  /** `host:port`, what a Milvus client takes as its address. */
  readonly address: string
  readonly host: string
  readonly port: number
  /** `host:port` of health and metrics, if they are served. */
  readonly metricsAddress: string | undefined
  /** Absolute path, or undefined in memory. */
  readonly dataDir: string | undefined
  readonly parameters: GlobalParamsTable
  readonly watchdog: Watchdog
  readonly catalog: Pick<Catalog, 'collections' | 'databases' | 'segments'>
  /** Of a process that is one of several. */
  readonly cluster?: { readonly roles: readonly ClusterRole[]; readonly nodeId: bigint; readonly internalAddress: string } | undefined
  /** Refuses new calls, lets running ones finish, stops all roles, frees everything. Idempotent. */
  close(): Promise<void>
}

/**
 * Starts a node and resolves when it serves.
 *
 * @example
 * const node = await startMiniMilvus({ inMemory: true, port: 0 })
 * // new MilvusClient({ address: node.address })
 * await node.close()
 */
export async function startMiniMilvus(options: MiniMilvusOptions = {}): Promise<MiniMilvus> {
  const parameters = parametersOf(options)
  return startNode(parameters, options.logger ?? silentLogger, systemClock)
}

export async function startNode(parameters: GlobalParamsTable, logger: NodeLogger, clock: NodeClock): Promise<MiniMilvus> {
  const roles = clusterRoles(parameters)
  if (roles !== undefined) return startClusterNode(parameters, roles, logger, clock)
  const parts: Part[] = []
  const closeParts = async (): Promise<void> => {
    for (const part of parts.splice(0).reverse()) await part.close()
  }
  const keep = async <T extends Part>(opening: Promise<T> | T): Promise<T> => {
    const part = await opening
    parts.push(part)
    return part
  }
  try {
    const dataDir = storeChoices(parameters).usesFolder ? await prepareDataFolder(parameters.getString('localStorage.path')) : undefined
    const registry = new Registry()
    const meter = new Meter(registry, clock)
    const isMetered = parameters.getBool('metrics.enabled')
    const plain = await keep(openStores(parameters, clock).catch(async (error: unknown) => {
      throw dataDir === undefined ? error : await tellHolder(dataDir, error)
    }))
    if (dataDir !== undefined) await keep(enter(dataDir, clock, logger))
    await refuseUnfinishedMove(plain.kv)
    const stores = isMetered ? meteredStores(plain, meter) : plain
    const threads = parameters.getInt('engine.threads')
    const engine = await keep(openEngine(threads === 0 ? {} : { threads }))
    const core = await openCore({ stores, engine, parameters, logger, clock, meter, spill: spillFolder(parameters, dataDir) }, keep)
    tellCutTails(plain.mq, logger)
    const security = await keep(openSecurity({ core, parameters, clock, logger }))
    const { gate, databasesChanged } = security
    const clients = await keep(openClients(core, parameters, clock))
    const served = security.handlers(createHandlers({ ...core, parameters, clock, clients, databasesChanged, ...(isMetered ? { meter } : {}) }))
    const view = isMetered && parameters.getBool('insight.enabled') ? createNodeView({ parameters, clock, registry: clients.registry, staging: core.staging }) : undefined
    const watched = view?.handlers(served) ?? served
    const handlers = isMetered ? meter.handlers(watched) : watched
    const host = parameters.getString('proxy.host')
    const server = await keep(openServer({ port: parameters.getInt('proxy.port'), host, handlers, authorize: gate, http: createRestHandler({ handlers, authorize: gate, sessions: clients.sessions, clients, logger, limits: limitsOf(parameters), clock }), clients, clock, logger, limits: limitsOf(parameters), tls: tlsOf(parameters), isServing: () => isReady(core.roles) }))
    const metrics = isMetered ? await keep(openMetrics({ core, security, handlers, parameters, logger, clock, registry, meter, clients, view, dataDir, address: `${server.host}:${server.port}` }, host)) : undefined
    return running({ server, metrics, dataDir, parameters, watchdog: core.watchdog, catalog: core.catalog, closeParts })
  } catch (error) {
    await closeParts()
    throw error
  }
}

/** Undefined where nothing of the node is on disk: staged rows stay in memory. */
function spillFolder(parameters: GlobalParamsTable, dataDir: string | undefined): SpillFolder | undefined {
  const named = parameters.getString('staging.spillPath')
  if (named !== '') return createTemporarySpill(named)
  return dataDir === undefined ? undefined : createSpillFolder(`${dataDir}/staging`)
}

/** The stores are locked: the folder is this node's. */
async function enter(folder: string, clock: NodeClock, logger: NodeLogger): Promise<Part> {
  const entered = await enterDataFolder(folder, clock.now())
  const { left } = entered
  if (left !== undefined) logger.warn({ left }, `took over ${folder}: process ${left.pid} on ${left.host} had it since ${left.since} and ended without stopping`)
  return entered
}

/** What a crash left of a write that nobody was told of, or damage at the very end, which looks the same: people decide which. */
function tellCutTails(mq: Mq, logger: NodeLogger): void {
  const { droppedTails = [] } = mq as Partial<FileMq>
  for (const { channel, path, from, bytes } of droppedTails) logger.warn({ channel, path, from, bytes }, `cut the last ${bytes} bytes of ${path}: no whole write`)
}

interface MetricsParts {
  readonly core: NodeCore
  readonly security: Security
  readonly handlers: HandlerTable
  readonly parameters: GlobalParamsTable
  readonly logger: NodeLogger
  readonly clock: NodeClock
  readonly registry: Registry
  readonly meter: Meter
  readonly clients: NodeClients
  /** Undefined: no insight. */
  readonly view: NodeView | undefined
  readonly dataDir: string | undefined
  /** `host:port` of gRPC and REST. */
  readonly address: string
}

async function openMetrics(parts: MetricsParts, host: string): Promise<MetricsServer> {
  const { core, security, parameters, clock, registry, meter, view } = parts
  collectDefaultMetrics({ register: registry })
  registerGauges(registry, { ...core, clock, queues: security.queues, compat: parameters.getString('metrics.compat') === 'milvus' })
  registerClientGauges(registry, parts.clients)
  registerStagingGauges(registry, { staging: core.staging, clock })
  const stop = countChanges(core.catalog, meter)
  const insight = view === undefined ? undefined : await mountInsight({ ...parts, view, gate: security.gate, queues: security.queues })
  const close = async (): Promise<void> => {
    stop()
    await insight?.close()
  }
  try {
    const server = await openMetricsServer({ host, port: parameters.getInt('metrics.port'), roles: core.roles, registry, guest: insight?.front })
    return { address: server.address, close: () => close().then(() => server.close()) }
  } catch (error) {
    await close()
    throw error
  }
}

function running(node: {
  readonly server: Listener
  readonly metrics: MetricsServer | undefined
  readonly dataDir: string | undefined
  readonly parameters: GlobalParamsTable
  readonly watchdog: Watchdog
  readonly catalog: Catalog
  readonly closeParts: () => Promise<void>
}): MiniMilvus {
  const { server, metrics, dataDir, parameters, watchdog, catalog, closeParts } = node
  let closing: Promise<void> | undefined
  const close = (): Promise<void> => (closing ??= closeParts())
  return {
    address: `${server.host}:${server.port}`,
    host: server.host,
    port: server.port,
    metricsAddress: metrics?.address,
    dataDir,
    parameters,
    watchdog,
    catalog,
    close,
    [Symbol.asyncDispose]: close,
  }
}

function parametersOf(options: MiniMilvusOptions): GlobalParamsTable {
  const { inMemory, dataDir, port, host, metricsPort = false, parameters = {}, environment = {} } = options
  const table = createParameters(environment)
  const given: [string, string | number | boolean | undefined][] = [
    ['common.inMemory', inMemory],
    ['localStorage.path', dataDir],
    ['proxy.port', port],
    ['proxy.host', host],
    ['metrics.enabled', metricsPort !== false],
    ['metrics.port', metricsPort === false ? undefined : metricsPort],
    ...Object.entries(parameters),
  ]
  for (const [key, value] of given) if (value !== undefined) table.save(key, String(value))
  return table
}
