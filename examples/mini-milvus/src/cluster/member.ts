/** A process of a cluster without its public ports: the roles that it has, and its way to those of others. */
import { positionFromJson, type MsgPosition, type MsgPositionJson } from '@timetick/msgstream'
import type { GlobalParamsTable } from '@timetick/paramtable'
import { openIdSource, startIdAllocator, type IdAllocator, type TimestampAllocator } from '@timetick/tso'
import { startWatchdog, type Watchdog } from '@timetick/watchdog'
import { FencedLog } from '../channel/fenced-mq.ts'
import { systemUsage, type NodeClock } from '../edge/system.ts'
import type { Engine } from '../engine/index.ts'
import { RpcError } from '../internal/errors.ts'
import { createClient, ServiceTable } from '../internal/service.ts'
import type { Transport } from '../internal/transport.ts'
import { logChannels } from '../node/log-channels.ts'
import type { NodeLogger } from '../node/logger.ts'
import { compactionWatch } from '../node/metrics/compactions.ts'
import type { Meter } from '../node/metrics/meter.ts'
import type { Keep } from '../node/core.ts'
import { Role } from '../node/role.ts'
import type { Stores } from '../node/stores.ts'
import { startQueryNode, type QueryNode } from '../querynode/query-node.ts'
import { createSegmentLoader } from '../querynode/storage-loader.ts'
import { CHANNELS, COORDINATOR, MEMBER, type ChannelApi, type CoordinatorApi, type MemberApi, type MemberState } from './apis.ts'
import { CatalogMirror } from './catalog-mirror.ts'
import { ChannelClient } from './channel-client.ts'
import { ChannelHost } from './channel-host.ts'
import { commitsOf, loadCommits } from './commit-records.ts'
import { Coordinator } from './coordinator.ts'
import { CoordinatorClient } from './coordinator-client.ts'
import { Directory } from './directory.ts'
import { dutiesOf } from './duties.ts'
import { loadFences } from './fence-records.ts'
import { type ClusterRole, Membership } from './membership.ts'
import { CATALOG, Mirrors } from './mirrors.ts'
import { leaveReads } from './leave-reads.ts'
import type { QueryPlannerSettings } from './query-planner.ts'
import { createQueryClients, createQueryService, QUERY, type QueryServiceApi } from './query-service.ts'
import { RemoteQueryNodes } from './remote-query-nodes.ts'
import { Stills } from './stills.ts'
import { tellProxies } from './tell-proxies.ts'
import { TargetMirror } from './target-mirror.ts'

export interface MemberOptions {
  readonly stores: Stores
  readonly engine: Engine
  readonly parameters: GlobalParamsTable
  readonly logger: NodeLogger
  readonly clock: NodeClock
  readonly transport: Transport
  readonly roles: readonly ClusterRole[]
  readonly version: string
  readonly meter?: Meter | undefined
  /** In [0, 1), for jitter. @default Math.random */
  readonly random?: (() => number) | undefined
  /** Unique names of leases and terms. Random unless given. */
  readonly createOwner?: (() => string) | undefined
}

export interface ClusterMember {
  /** Where other processes reach it. */
  readonly address: string
  readonly stores: Stores
  readonly roles: readonly ClusterRole[]
  readonly membership: Membership
  readonly directory: Directory
  readonly mirror: CatalogMirror
  /** All that this process mirrors. */
  readonly mirrors: Mirrors
  /** Resolves when no proxy takes what a mirror has of this revision for what it was before. */
  readonly tell: (mirror: string, revision: bigint) => Promise<void>
  /** Between this proxy and the others, where it is one. */
  readonly stills: Stills
  readonly coordinator: CoordinatorClient
  readonly channels: ChannelClient
  readonly queryNodes: RemoteQueryNodes
  readonly ids: IdAllocator
  readonly timestamps: TimestampAllocator
  readonly watchdog: Watchdog
  readonly pchannels: readonly string[]
  readonly log: FencedLog
  /** Of this process, where it has the role. */
  readonly own: { readonly coordinator: Coordinator | undefined; readonly host: ChannelHost | undefined; readonly queryNode: Role<QueryNode> | undefined }
  /** What the process at this address tells of itself. */
  readonly describe: (address: string) => Promise<MemberState>
  health(): { healthy: boolean; reasons: string[] }
  /** Takes no new duties, gives back those that it has; what runs may end. */
  drain(): Promise<void>
}

/** Where no coordinator is yet, ids begin as in a standalone node. */
const FIRST_ID = 450_000_000_000_000_000n
const PERSISTENT = { maxRestarts: 1_000, maxBackoffMs: 10_000 }
const NEVER_MS = 2 ** 31 - 1

export async function openMember(options: MemberOptions, keep: Keep): Promise<ClusterMember> {
  const { stores, engine, parameters, logger, clock, transport, roles, meter, random, createOwner } = options
  const onWarning = (message: string, error: unknown): void => logger.warn({ err: error }, message)
  const ttlMs = parameters.getDurationMs('cluster.leaseTtl')
  const timeoutMs = parameters.getDurationMs('cluster.callTimeout')
  const own: { coordinator: Coordinator | undefined; host: ChannelHost | undefined; queryNode: Role<QueryNode> | undefined } = { coordinator: undefined, host: undefined, queryNode: undefined }
  const apis = localApis(own)
  const mirror = await keep(CatalogMirror.open({ kv: stores.kv, clock, onProblem: (error) => onWarning('the catalog could not be followed', error) }))
  const mirrors = new Mirrors()
  mirrors.add(CATALOG, Promise.resolve(mirror))
  const targets = await keep(TargetMirror.open({ kv: stores.kv, clock, onProblem: (error) => onWarning('the targets of query nodes could not be followed', error) }))
  const query = createQueryService({ node: () => running(own.queryNode, 'query').current, starts: () => own.queryNode?.starts ?? 0, awaitMeta: (revision, signal) => mirror.waitFor(revision, signal), meter })
  const startedAt = clock.now()
  const describe: MemberApi['describe'] = async () => ({ startedAt, isLeading: own.coordinator?.isLeading === true, usage: systemUsage(), ...dutiesOf(own) })
  let stills: Stills | undefined
  const stillStaging: MemberApi['stillStaging'] = async (request) => stills?.answer(request) ?? { staged: [] }
  const table = servicesOf(roles, apis, query, { describe, stillStaging, awaitMeta: ({ revision, mirror: name = CATALOG }, call) => mirrors.waitFor(name, revision, call?.signal).then(() => ({})) })
  await keep(transport)
  const server = await keep(table.listen(transport))
  const { address } = server
  const ids = await keep(startIdAllocator({ source: await openIdSource({ kv: stores.kv, rootPath: 'ids', firstId: FIRST_ID, step: 10_000, clock }) }))
  const pchannels = await logChannels(stores.kv, parameters.getInt('rootCoord.dmlChannelNum'))
  for (const pchannel of pchannels) await stores.mq.createChannel(pchannel)
  const directory = await keep(Directory.open({ kv: stores.kv, clock, onProblem: onWarning }))
  const apiOf = createQueryClients(transport, roles.includes('query') ? { address, api: query } : undefined)
  const watchdog = await keep(startWatchdog({ clock, random, checkIntervalMs: parameters.getDurationMs('watchdog.interval'), restart: PERSISTENT }))

  const describeAt: ClusterMember['describe'] = (at) => (at === address ? describe({}) : createClient(MEMBER, transport, () => at).describe({}))
  let readers: RemoteQueryNodes | undefined
  if (roles.includes('coordinator')) {
    const graceMs = parameters.getDurationMs('cluster.garbageGrace')
    own.coordinator = await keep(new Coordinator({
      kv: stores.kv, clock, ids, pchannels, ttlMs, address, greet: describeAt, createOwner, storage: stores.storage, garbageGraceMs: graceMs, onProblem: onWarning,
      imports: { storage: stores.storage, ids, parameters, clock, queryNodes: () => readers, onProblem: onWarning },
      queryNodes: { directory, apiOf, ...plannerSettings(parameters) },
    }))
  }
  const proxies = { kv: stores.kv, transport, clock, ttlMs, address }
  stills = new Stills(proxies)
  const tell: ClusterMember['tell'] = (name, revision) => tellProxies({ ...proxies, mirror: name, revision })
  const onChanged = (revision: bigint): Promise<void> => tell(CATALOG, revision)
  const coordinator = await keep(CoordinatorClient.open({ kv: stores.kv, clock, transport, mirror, local: roles.includes('coordinator') ? { address, api: apis.coordinator } : undefined, timeoutMs, onChanged, onProblem: onWarning }))
  const channels = await keep(ChannelClient.open({ kv: stores.kv, clock, transport, directory, mirror, local: roles.includes('data') ? { address, api: apis.channels } : undefined, timeoutMs, onProblem: onWarning }))
  const log = new FencedLog({
    mq: stores.mq, clock,
    fences: (channel) => loadFences(stores.kv, channel),
    // Rows wait for as long as it takes: without their collection they would be dropped.
    awaitMeta: (revision, signal) => mirror.waitFor(revision, signal, NEVER_MS),
    retentionMs: parameters.getDurationMs('cluster.logRetention'),
  })
  const membership = await keep(Membership.open({ kv: stores.kv, clock, ttlMs, address, roles, version: options.version, createOwner, catchUp: () => mirrors.catchUp(), onChange: () => own.host?.reconcile(), onProblem: onWarning }))
  if (meter !== undefined) meter.nodeId = String(membership.nodeId)
  if (roles.includes('data')) {
    own.host = await keep(ChannelHost.open({ kv: stores.kv, stores, log, engine, mirror, coordinator, ids, parameters, clock, membership, watchCompaction: compactionWatch(meter), onWarning }))
  }
  if (roles.includes('query')) {
    const role: Role<QueryNode> = new Role({
      id: 'query-node', watchdog, clock, beatMs: parameters.getDurationMs('watchdog.interval'),
      onFailure: (name, error) => onWarning(`${name} failed`, error),
      open: async (onFailure) => {
        await mirror.catchUp()
        await targets.catchUp()
        const positions = new Map(pchannels.map((pchannel) => [pchannel, positionOf(mirror.checkpoint(pchannel))]))
        // Behind the positions: a record stays for a while when it is not needed any more, so what is to be read from there has its own.
        const transactions = commitsOf(await loadCommits(stores.kv))
        return startQueryNode({
          targets, transactions,
          nodeId: membership.nodeId, meta: mirror, mq: log.readers, engine, loader: createSegmentLoader(stores.storage), pchannels, clock,
          maxWaitMs: parameters.getDurationMs('queryNode.maxWait'),
          maxKeptBytes: parameters.getBytes('queryNode.maxKeptBytes'),
          checkpoint: (pchannel) => positions.get(pchannel),
          requestTick: (wanted, atLeast) => channels.requestTick(wanted, atLeast),
          onBadIndex(segmentId, index, error) {
            onWarning(`index ${index.path} cannot be opened and is built again`, error)
            const segment = mirror.segment(segmentId)
            const shard = mirror.collectionById(segment?.collectionId ?? 0n)?.shards.find(({ vchannel }) => vchannel === segment?.vchannel)
            if (shard !== undefined) channels.reportBadIndex(shard.pchannel, segmentId, index).catch((failure: unknown) => onWarning('marking an index as damaged failed', failure))
          },
          flushShard: async (collectionId, vchannel, atLeast) => {
            const shard = mirror.collectionById(collectionId)?.shards.find((one) => one.vchannel === vchannel)
            if (shard !== undefined) await channels.flushShard({ pchannel: shard.pchannel, collectionId, vchannel }, atLeast)
          },
          onFailure, onWarning,
        })
      },
    })
    own.queryNode = role
    await keep(role)
    await role.start()
  }
  const maxWaitMs = Math.max(timeoutMs, parameters.getDurationMs('queryNode.maxWait'))
  const queryNodes = (readers = await keep(new RemoteQueryNodes({ directory, apiOf, clock, meta: mirror, targets, coordinator, maxWaitMs })))
  return {
    address, stores, roles, membership, directory, mirror, mirrors, tell, stills, coordinator, channels, queryNodes, ids, timestamps: coordinator.timestamps, watchdog, pchannels, log, own,
    describe: describeAt,
    health: () => healthOf(own, membership, coordinator, mirror),
    async drain() {
      await membership.stop()
      const leaving = own.queryNode === undefined ? undefined : leaveReads({ nodeId: membership.nodeId, targets, directory, clock, timeoutMs: parameters.getDurationMs('queryNode.drainTimeout') })
      await own.host?.close()
      await leaving
      await own.coordinator?.close()
      table.stop()
    },
  }
}

/** Services come before what serves them: their address is part of what it says of itself. */
function localApis(own: { readonly coordinator: CoordinatorApi | undefined; readonly host: ChannelApi | undefined }): { readonly coordinator: CoordinatorApi; readonly channels: ChannelApi } {
  const coordinator = (): CoordinatorApi => running(own.coordinator, 'coordinator')
  const host = (): ChannelApi => running(own.host, 'data')
  return {
    coordinator: {
      allocTimestamps: async (request, call) => coordinator().allocTimestamps(request, call),
      catalog: async (request, call) => coordinator().catalog(request, call),
      releaseChannel: async (request, call) => coordinator().releaseChannel(request, call),
      records: async (request, call) => coordinator().records(request, call),
      imports: async (request, call) => coordinator().imports(request, call),
      loadProgress: async (request, call) => coordinator().loadProgress(request, call),
      moveSegments: async (request, call) => coordinator().moveSegments(request, call),
      transferReplicas: async (request, call) => coordinator().transferReplicas(request, call),
    },
    channels: {
      append: async (request, call) => host().append(request, call),
      holdTime: async (request, call) => host().holdTime(request, call),
      appendPart: async (request, call) => host().appendPart(request, call),
      decide: async (request, call) => host().decide(request, call),
      requestTick: async (request, call) => host().requestTick(request, call),
      flushShard: async (request, call) => host().flushShard(request, call),
      unflushedRows: async (request, call) => host().unflushedRows(request, call),
      badIndex: async (request, call) => host().badIndex(request, call),
      compact: async (request, call) => host().compact(request, call),
      compaction: async (request, call) => host().compaction(request, call),
    },
  }
}

function servicesOf(roles: readonly ClusterRole[], apis: ReturnType<typeof localApis>, query: QueryServiceApi, member: MemberApi): ServiceTable {
  const table = new ServiceTable()
  table.add(MEMBER, member)
  if (roles.includes('coordinator')) table.add(COORDINATOR, apis.coordinator)
  if (roles.includes('data')) table.add(CHANNELS, apis.channels)
  if (roles.includes('query')) table.add(QUERY, query)
  return table
}

function plannerSettings(parameters: GlobalParamsTable): Omit<QueryPlannerSettings, 'directory' | 'apiOf'> {
  return {
    graceMs: parameters.getDurationMs('queryCoord.grace'),
    intervalMs: parameters.getDurationMs('queryCoord.interval'),
    awayAfterMs: parameters.getDurationMs('cluster.leaseTtl'),
    maxMoves: () => (parameters.getBool('queryCoord.autoBalance') ? parameters.getInt('queryCoord.maxMoves') : 0),
    tolerance: parameters.getFloat('queryCoord.tolerance'),
  }
}

function running<T>(part: T | undefined, role: ClusterRole): T {
  if (part === undefined) throw new RpcError('RPC_UNAVAILABLE', `the role ${role} is not running here yet`, { outcome: 'not-applied' })
  return part
}

function healthOf(own: ClusterMember['own'], membership: Membership, coordinator: CoordinatorClient, mirror: CatalogMirror): { healthy: boolean; reasons: string[] } {
  const reasons: string[] = []
  if (!membership.isLive) reasons.push('the session of this process has ended')
  if (coordinator.leader === undefined) reasons.push('no coordinator leads')
  if (mirror.databases().length === 0) reasons.push('no coordinator has begun')
  if (own.queryNode !== undefined && own.queryNode.status() !== 'healthy') reasons.push('query-node is not healthy')
  return { healthy: reasons.length === 0, reasons }
}

function positionOf(json: string | undefined): MsgPosition | undefined {
  return json === undefined ? undefined : positionFromJson(JSON.parse(json) as MsgPositionJson)
}
