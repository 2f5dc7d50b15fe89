/** A process of a cluster with its ports: gRPC and REST where it is a proxy, health and metrics everywhere. */
import type { GlobalParamsTable } from '@timetick/paramtable'
import { collectDefaultMetrics, Registry } from 'prom-client'
import type { NodeClock } from '../edge/system.ts'
import { startHttpServer, type HttpAnswer, type HttpGuest, type HttpServer } from '../edge/http.ts'
import { openEngine } from '../engine/index.ts'
import { mountClusterInsight } from '../insight/mount.ts'
import { createNodeView } from '../insight/node-view.ts'
import { createGrpcTransport } from '../internal/grpc-transport.ts'
import { readCertificate } from '../node/certificates.edge.ts'
import { openClients } from '../node/clients.ts'
import { prepareDataFolder } from '../node/data-folder.edge.ts'
import type { Keep, Part } from '../node/core.ts'
import type { NodeLogger } from '../node/logger.ts'
import { registerClientGauges } from '../node/metrics/client-gauges.ts'
import { Meter } from '../node/metrics/meter.ts'
import { meteredStores } from '../node/metrics/metered-stores.ts'
import { registerStagingGauges } from '../node/metrics/staging-gauges.ts'
import { limitsOf, tlsOf } from '../node/security-parameters.ts'
import { openSecurity } from '../node/security.ts'
import type { MiniMilvus } from '../node/start.ts'
import { storeChoices } from '../node/store-parameters.ts'
import { openStores } from '../node/stores.ts'
import { isLoopback } from '../node/open-address.ts'
import { StoresError } from '../node/stores-error.ts'
import { createRestHandler } from '../rest/index.ts'
import type { Listener } from '../server/listen.edge.ts'
import { openServer } from '../server/server.ts'
import { createTemporarySpill } from '../staging/spill.edge.ts'
import { version } from '../version.ts'
import { createClusterHandlers, whileLive } from './handlers.ts'
import { type ClusterMember, openMember } from './member.ts'
import { type ClusterRole, ROLES } from './membership.ts'
import { registerClusterMetrics, registerProxyMetrics } from './metrics.ts'
import { checkOpenCalls, hostOf } from './open-calls.ts'
import { openProxyStaging } from './proxy-staging.ts'
import { sharedRecordsOf } from './shared-records.ts'

const LOOK_MS = 50

/** Resolves when it serves: a proxy when some coordinator leads. */
export async function startClusterNode(parameters: GlobalParamsTable, roles: readonly ClusterRole[], logger: NodeLogger, clock: NodeClock): Promise<MiniMilvus> {
  const parts: Part[] = []
  const closeParts = async (): Promise<void> => {
    for (const part of parts.splice(0).reverse()) await part.close()
  }
  const keep: Keep = async (opening) => {
    const part = await opening
    parts.push(part)
    return part
  }
  try {
    checkStores(parameters, roles)
    const maySendAnywhere = checkOpenCalls(parameters)
    const dataDir = storeChoices(parameters).usesFolder ? await prepareDataFolder(parameters.getString('localStorage.path')) : undefined
    const registry = new Registry()
    const meter = parameters.getBool('metrics.enabled') ? new Meter(registry, clock) : undefined
    const plain = await keep(openStores(parameters, clock))
    const stores = meter === undefined ? plain : meteredStores(plain, meter)
    const threads = parameters.getInt('engine.threads')
    const engine = await keep(openEngine(threads === 0 ? {} : { threads }))
    const transport = createGrpcTransport({
      host: parameters.getString('cluster.internalHost'),
      port: parameters.getInt('cluster.internalPort'),
      advertise: parameters.getString('cluster.advertiseAddress'),
      secret: parameters.getString('cluster.secret'),
      tls: await internalTls(parameters),
      mayCall: (address) => maySendAnywhere || isLoopback(hostOf(address)),
      closeGraceMs: parameters.getDurationMs('proxy.shutdownTimeout'),
      clock,
    })
    const member = await openMember({ stores, engine, parameters, logger, clock, transport, roles, version, meter }, keep)
    await keep({ close: () => member.drain() })
    const insight = lateGuest()
    const metrics = meter === undefined ? undefined : await keep(openHealth(member, parameters, registry, insight))
    if (meter !== undefined) await keep(registerClusterMetrics(registry, { member, meter, clock, compat: parameters.getString('metrics.compat') === 'milvus' }))
    await someoneLeads(member, clock, logger)
    const server = roles.includes('proxy') ? await openProxy({ member, parameters, logger, clock, meter, registry, insight }, keep) : undefined
    return running({ member, server, metrics, dataDir, parameters, closeParts })
  } catch (error) {
    await closeParts()
    throw error
  }
}

export interface ProxyParts {
  readonly member: ClusterMember
  readonly parameters: GlobalParamsTable
  readonly logger: NodeLogger
  readonly clock: NodeClock
  /** Undefined: nothing is counted. */
  readonly meter: Meter | undefined
  readonly registry: Registry
  /** Undefined: there is no page. */
  readonly insight?: LateGuest | undefined
}

/** The public port of a proxy, and all behind it. */
export async function openProxy({ member, parameters, logger, clock, meter, registry, insight }: ProxyParts, keep: Keep): Promise<Listener> {
  const { stores, mirror, queryNodes } = member
  const security = await keep(openSecurity({ core: { stores, catalog: mirror, roles: { queryNode: queryNodes } }, parameters, clock, logger, openRecords: sharedRecordsOf(member, clock, (message, error) => logger.warn({ err: error }, message)) }))
  const onWarning = (message: string, error: unknown): void => logger.warn({ err: error }, message)
  const staging = await openProxyStaging({ member, parameters, clock, onWarning, spill: createTemporarySpill(parameters.getString('staging.spillPath')) }, keep)
  const clients = await keep(openClients({ catalog: mirror, staging, mayLag: true }, parameters, clock))
  const served = whileLive(security.handlers(createClusterHandlers({ member, staging, parameters, clock, clients, databasesChanged: security.databasesChanged })), member)
  const view = meter === undefined || insight === undefined || !parameters.getBool('insight.enabled') ? undefined : createNodeView({ parameters, clock, registry: clients.registry, staging })
  const watched = view?.handlers(served) ?? served
  const handlers = meter?.handlers(watched) ?? watched
  if (meter !== undefined) {
    registerProxyMetrics(registry, { member, clock, queues: security.queues })
    registerClientGauges(registry, clients)
    registerStagingGauges(registry, { staging, clock })
  }
  const limits = limitsOf(parameters)
  const { gate } = security
  const server = await keep(openServer({
    port: parameters.getInt('proxy.port'), host: parameters.getString('proxy.host'),
    handlers, authorize: gate, clients, clock, logger, limits, tls: tlsOf(parameters),
    http: createRestHandler({ handlers, authorize: gate, sessions: clients.sessions, clients, logger, limits, clock }),
  }))
  if (view !== undefined && insight !== undefined) insight.guest = (await keep(mountClusterInsight({ member, handlers, gate, queues: security.queues, view, parameters, clock, logger, address: `${server.host}:${server.port}` }))).front
  return server
}

/** The port of metrics is open before there is a page: probes ask from the start. */
interface LateGuest extends HttpGuest {
  guest: HttpGuest | undefined
}

function lateGuest(): LateGuest {
  const late: LateGuest = {
    guest: undefined,
    handle: (request, response) => late.guest?.handle(request, response) ?? false,
    upgrade: (request, socket, head) => late.guest?.upgrade(request, socket, head) ?? false,
  }
  return late
}

/** What others cannot see is no store of a cluster. */
function checkStores(parameters: GlobalParamsTable, roles: readonly ClusterRole[]): void {
  if (roles.length === ROLES.length) return
  const { metastore, log, storage } = storeChoices(parameters)
  const own = [['metastore.type', metastore, 'etcd or redis'], ['mq.type', log, 'kafka, pulsar or redis'], ['storage.type', storage, 'shared or s3']].find(([, type]) => ['lmdb', 'file', 'local', 'memory'].includes(type ?? ''))
  if (own !== undefined) throw new StoresError('STORES_INVALID', `expected ${own[0]} to be ${own[2]} where roles are in several processes, got ${own[1]}: no other process can see it`)
}

async function internalTls(parameters: GlobalParamsTable): Promise<{ cert: Uint8Array; key: Uint8Array; ca: Uint8Array } | undefined> {
  const [cert, key, ca] = await Promise.all(['cluster.tls.certPath', 'cluster.tls.keyPath', 'cluster.tls.caPath'].map((name) => readCertificate(parameters, name)))
  if (cert === undefined && key === undefined && ca === undefined) return undefined
  if (cert === undefined || key === undefined || ca === undefined) throw new StoresError('STORES_INVALID', 'expected cluster.tls.certPath, cluster.tls.keyPath and cluster.tls.caPath to be set together')
  return { cert, key, ca }
}

/** Without a coordinator there is no time, and before the first one no database. */
async function someoneLeads({ coordinator, mirror }: ClusterMember, clock: NodeClock, logger: NodeLogger): Promise<void> {
  let toldAt = clock.monotonic()
  while (coordinator.leader === undefined || mirror.databases().length === 0) {
    if (clock.monotonic() - toldAt > 5_000) {
      toldAt = clock.monotonic()
      logger.warn({}, 'no coordinator leads yet: waiting for one')
    }
    await new Promise<void>((resolve) => {
      clock.setTimer(resolve, LOOK_MS)
    })
  }
}

async function openHealth(member: ClusterMember, parameters: GlobalParamsTable, registry: Registry, guest: HttpGuest): Promise<HttpServer> {
  collectDefaultMetrics({ register: registry })
  const health = (accept: string, sick: number): HttpAnswer => {
    const { healthy, reasons } = member.health()
    const state = healthy ? 'OK' : reasons.join('; ')
    const status = healthy ? 200 : sick
    if (!accept.includes('json')) return { status, type: 'text/plain', body: state }
    return { status, type: 'application/json', body: JSON.stringify({ state, detail: member.roles.map((name) => ({ name, code: healthy ? 'Healthy' : 'Abnormal' })) }) }
  }
  return startHttpServer({ host: parameters.getString('proxy.host'), port: parameters.getInt('metrics.port') }, async (path, accept) => {
    switch (path) {
      case '/livez':
        return { status: 200, type: 'text/plain', body: 'OK' }
      case '/healthz':
        return health(accept, 500)
      case '/readyz': {
        if (member.membership.isStopping) return { status: 503, type: 'text/plain', body: 'stopping' }
        const stalled = member.own.host?.channels.some(({ isStalled }) => isStalled) === true
        return stalled ? { status: 503, type: 'text/plain', body: 'flushes wait for space, or for a store that is away' } : health(accept, 503)
      }
      case '/metrics':
        return { status: 200, type: registry.contentType, body: await registry.metrics() }
      default:
        return { status: 404, type: 'text/plain', body: 'not found' }
    }
  }, guest)
}

function running(node: { readonly member: ClusterMember; readonly server: Listener | undefined; readonly metrics: HttpServer | undefined; readonly dataDir: string | undefined; readonly parameters: GlobalParamsTable; readonly closeParts: () => Promise<void> }): MiniMilvus {
  const { member, server, metrics, dataDir, parameters, closeParts } = node
  let closing: Promise<void> | undefined
  const close = (): Promise<void> => (closing ??= closeParts())
  const internal = { host: member.address.slice(0, member.address.lastIndexOf(':')), port: Number(member.address.slice(member.address.lastIndexOf(':') + 1)) }
  const { host, port } = server ?? internal
  return {
    address: server === undefined ? member.address : `${host}:${port}`,
    host,
    port,
    metricsAddress: metrics === undefined ? undefined : `${metrics.host}:${metrics.port}`,
    dataDir,
    parameters,
    watchdog: member.watchdog,
    catalog: member.mirror,
    cluster: { roles: member.roles, nodeId: member.membership.nodeId, internalAddress: member.address },
    close,
    [Symbol.asyncDispose]: close,
  }
}
