/** What a node is without its ports: time, metadata, watchdog, ticks and roles, over stores that somebody else opened. */
import type { GlobalParamsTable } from '@timetick/paramtable'
import { startWatchdog, type Watchdog } from '@timetick/watchdog'
import { openCatalog, type Catalog } from '../coordinator/catalog.ts'
import type { NodeClock } from '../edge/system.ts'
import type { Engine } from '../engine/index.ts'
import { logChannels } from './log-channels.ts'
import type { NodeLogger } from './logger.ts'
import type { Meter } from './metrics/meter.ts'
import { startRoles, type Roles } from './roles.ts'
import type { QueryNodeApi } from '../querynode/api.ts'
import { createCommitter } from '../staging/committer.ts'
import { startForgetting } from '../staging/forgetting.ts'
import { reclaim } from '../edge/reclaim.ts'
import { createLastCommits } from '../staging/last-commits.ts'
import { openStaging } from '../staging/open-staging.ts'
import type { SpillFolder } from '../staging/spill.ts'
import { openTransactions } from '../staging/transactions.ts'
import type { Staging } from '../staging/staging.ts'
import { createDmlWriter, heldUntilKnown, type DmlWriter } from '../writer/dml-writer.ts'
import type { Stores } from './stores.ts'
import { openNodeTime, startTicks, type NodeTime } from './time.ts'

export interface Part {
  close(): Promise<void>
}

/** Takes a part over, to be closed with the node, in reverse order. */
export type Keep = <T extends Part>(opening: Promise<T> | T) => Promise<T>

export interface CoreOptions {
  readonly stores: Stores
  readonly engine: Engine
  readonly parameters: GlobalParamsTable
  readonly logger: NodeLogger
  readonly clock: NodeClock
  /** Undefined: nothing is counted. */
  readonly meter?: Meter | undefined
  /** In [0, 1), for jitter. @default Math.random */
  readonly random?: (() => number) | undefined
  /** Names this start among all; a random name unless given. */
  readonly owner?: string | undefined
  /** Where staged rows go that are too many for memory. */
  readonly spill?: SpillFolder | undefined
}

export interface NodeCore {
  readonly stores: Stores
  readonly time: NodeTime
  readonly catalog: Catalog
  readonly engine: Engine
  readonly watchdog: Watchdog
  readonly roles: Roles
  readonly writer: DmlWriter
  readonly staging: Staging
  readonly pchannels: readonly string[]
  readonly requestTick: (channels: readonly string[], atLeast: bigint) => void
  readonly ticks: Awaited<ReturnType<typeof startTicks>>
}

/** A node alone has nobody to take over from a role that is given up: it is tried for as long as the node runs. */
const PERSISTENT = { maxRestarts: 1_000, maxBackoffMs: 10_000 }

export async function openCore({ stores, engine, parameters, logger, clock, meter, random, owner, spill }: CoreOptions, keep: Keep): Promise<NodeCore> {
  const onWarning = (message: string, error: unknown): void => logger.warn({ err: error }, message)
  const time = await keep(openNodeTime(stores.kv, clock, onWarning, owner))
  const pchannels = await logChannels(stores.kv, parameters.getInt('rootCoord.dmlChannelNum'))
  const catalog = await openCatalog({ kv: stores.kv, ids: time.ids, timestamps: time.timestamps, pchannels })
  const transactions = await openTransactions({ kv: stores.kv, clock })
  const onEvent = (event: { readonly type: string }): void => {
    if (event.type !== 'beat') logger.debug({ event }, `watchdog: ${event.type}`)
  }
  const watchdog = await keep(startWatchdog({ clock, random, checkIntervalMs: parameters.getDurationMs('watchdog.interval'), restart: PERSISTENT, onEvent }))
  const intervalMs = parameters.getDurationMs('proxy.timeTickInterval')
  const ticks = await keep(startTicks({ mq: stores.mq, pchannels, timestamps: time.timestamps, intervalMs, clock, onError: (error) => onWarning('a time tick failed', error) }))
  const roles = await keep(startRoles({ catalog, kv: stores.kv, mq: stores.mq, storage: stores.storage, engine, ticks, time, pchannels, parameters, watchdog, clock, transactions, meter, onWarning }))
  await keep(startForgetting({ transactions, catalog, roles, clock, onWarning }))
  const writer = createDmlWriter(heldUntilKnown(ticks), () => clock.yieldToLoop(), stores.mq.features.maxFrameBytes)
  const queryNode = (): QueryNodeApi => roles.queryNode.current
  const now = (): Promise<bigint> => time.timestamps.allocOne()
  const requestTick: NodeCore['requestTick'] = (channels, atLeast) => ticks.requestTick(channels, atLeast)
  const bounds = { maxClientBytes: parameters.getBytes('staging.maxClientBytes'), maxBytes: parameters.getBytes('staging.maxBytes'), spillBytes: parameters.getBytes('staging.spillBytes') }
  const staging = await keep(openStaging({ ...bounds, meta: catalog, committer: createCommitter(writer, transactions), lastCommits: createLastCommits(), queryNode, now, requestTick, clock, spill, reclaim: (bytes) => reclaim(bytes, clock), onWarning }))
  return { writer, staging, stores, time, catalog, engine, watchdog, roles, pchannels, ticks, requestTick }
}
