/**
 * Asks the coordinator that leads, whoever it is now. What surely was not done, and what may be done twice, is asked again until the
 * deadline; else the caller is told that nobody knows.
 */
import type { KVBase } from '@timetick/kv'
import { createRange, startTimestampAllocator, type TimestampAllocator } from '@timetick/tso'
import type { CatalogWriter, FunctionPlan, SegmentWriter } from '../coordinator/api.ts'
import type { NodeClock } from '../edge/system.ts'
import { isPassing, isSafeToRepeat, RpcError } from '../internal/errors.ts'
import { type CallOptions, createClient } from '../internal/service.ts'
import type { Transport } from '../internal/transport.ts'
import { underSignals } from '../internal/under-signals.ts'
import type { CollectionSchema } from '../model/schema.ts'
import type { LoadProgress } from '../querynode/api.ts'
import { COORDINATOR, type CatalogReply, type ChannelTerm, type CoordinatorApi, type MoveSegments, type TargetsRevision, type TransferReplicas } from './apis.ts'
import { answerPlan, REPORTS, WRITES } from './catalog-calls.ts'
import type { CatalogMirror } from './catalog-mirror.ts'
import type { ImportService } from '../coordinator/importer.ts'
import type { RecordsWrite, RecordsWritten } from './record-writes.ts'
import { IMPORT_CALLS } from './imports.ts'
import { LEADER_ROOT, LEADER_KEY } from './coordinator.ts'
import { FollowedPrefix } from './followed-prefix.ts'
import { HeldDuties } from './held-duties.ts'

export interface CoordinatorClientOptions {
  readonly kv: Pick<KVBase, 'loadEntry' | 'loadWithPrefix' | 'watchWithPrefix'>
  readonly clock: NodeClock
  readonly transport: Pick<Transport, 'call'>
  readonly mirror: CatalogMirror
  /** The coordinator of this process and its address, where it has one: called without a detour. */
  readonly local?: { readonly address: string; readonly api: CoordinatorApi } | undefined
  /** Of calls that are tried again. */
  readonly timeoutMs: number
  /** A change was made that others may still have an older idea of. */
  readonly onChanged: (revision: bigint) => Promise<void>
  readonly onProblem: (message: string, error: unknown) => void
}

const RETRY_MS = 50
const MAX_PLANS = 5
/** Whoever stops does not wait long for a coordinator: its lease ends anyway. */
const RELEASE_MS = 3_000

export class CoordinatorClient {
  readonly #options: CoordinatorClientOptions
  readonly #remote: CoordinatorApi
  readonly #duties: HeldDuties
  #followed: FollowedPrefix | undefined
  #leader: string | undefined
  readonly timestamps: TimestampAllocator

  private constructor(options: CoordinatorClientOptions) {
    this.#options = options
    this.#duties = new HeldDuties(options.clock)
    this.#remote = createClient(COORDINATOR, options.transport, () => this.#leader ?? '')
    this.timestamps = startTimestampAllocator({
      source: {
        getTimestamp: async (count, { signal } = {}) => {
          const { first } = await this.#ask((api, options) => api.allocTimestamps({ count }, options), true, signal)
          return createRange(first, count)
        },
      },
    })
  }

  static async open(options: CoordinatorClientOptions): Promise<CoordinatorClient> {
    const client = new CoordinatorClient(options)
    const { kv, clock, onProblem } = options
    client.#followed = await FollowedPrefix.open({
      kv, clock, prefix: LEADER_ROOT,
      onEvents: (events) => {
        for (const { key, value } of events) {
          if (LEADER_ROOT + key !== LEADER_KEY) continue
          client.#leader = value === undefined ? undefined : nameOf(value)
          client.#duties.changed(LEADER_KEY, client.#leader)
        }
      },
      onProblem: (error) => onProblem('the leader could not be looked up', error),
    })
    return client
  }

  /** Address of the one that leads, as far as is known. */
  get leader(): string | undefined {
    return this.#leader
  }

  get catalog(): CatalogWriter {
    const methods = Object.keys(WRITES) as (keyof CatalogWriter)[]
    return Object.fromEntries(methods.map((method) => [method, (...args: readonly unknown[]) => this.#write(method, args)])) as unknown as CatalogWriter
  }

  get imports(): ImportService {
    const methods = Object.entries(IMPORT_CALLS).map(([method, kind]) => [method, async (...args: readonly unknown[]): Promise<unknown> => {
      const { value } = await this.#ask((api, options) => api.imports({ method, args }, options), kind === 'repeatable', undefined)
      return value
    }])
    return Object.fromEntries(methods) as ImportService
  }

  /** Not asked twice: what was written once would look like another's change. */
  saveRecords(change: RecordsWrite): Promise<RecordsWritten> {
    return this.#ask((api) => api.records(change), false, undefined)
  }

  /** @param channel what is reported is about its rows */
  reports(channel: ChannelTerm, signal: AbortSignal): SegmentWriter {
    const methods = REPORTS.map((method) => [method, async (...args: readonly unknown[]): Promise<void> => {
      const { revision } = await this.#ask((api, options) => api.catalog({ method, args, channel }, options), true, signal)
      await this.#options.mirror.waitFor(revision, signal)
    }])
    return { ...(Object.fromEntries(methods) as Omit<SegmentWriter, 'checkpoint'>), checkpoint: (pchannel) => this.#options.mirror.checkpoint(pchannel) }
  }

  async release(channel: ChannelTerm & { readonly owner: string }): Promise<void> {
    await this.#ask((api, options) => api.releaseChannel(channel, options), true, undefined, RELEASE_MS)
  }

  loadProgress(collectionIds: readonly bigint[], signal?: AbortSignal): Promise<TargetsRevision & { readonly progress: ReadonlyMap<bigint, LoadProgress> }> {
    return this.#ask((api, options) => api.loadProgress({ collectionIds }, options), true, signal)
  }

  /** The revision that targets must have to show it. */
  async moveSegments(request: MoveSegments): Promise<bigint> {
    return (await this.#ask((api, options) => api.moveSegments(request, options), false, undefined)).revision
  }

  /** The revision that targets must have to show it. */
  async transferReplicas(request: TransferReplicas): Promise<bigint> {
    return (await this.#ask((api, options) => api.transferReplicas(request, options), false, undefined)).revision
  }

  async close(): Promise<void> {
    await this.timestamps.close()
    await this.#followed?.close()
  }

  async #write(method: keyof CatalogWriter, args: readonly unknown[]): Promise<unknown> {
    let schema: CollectionSchema | undefined
    for (let attempt = 0; attempt < MAX_PLANS; attempt++) {
      const known = schema
      const given = args.map((arg) => (typeof arg === 'function' ? answerPlan(arg as FunctionPlan, known) : arg))
      const reply: CatalogReply = await this.#ask((api, options) => api.catalog({ method, args: given }, options), false, undefined)
      const { value } = reply
      if (typeof value === 'object' && value !== null && 'schema' in value && args.some((arg) => typeof arg === 'function')) {
        schema = value.schema as CollectionSchema
        continue
      }
      await this.#options.mirror.waitFor(reply.revision)
      if (WRITES[method] === 'changed') await this.#options.onChanged(reply.revision)
      return value
    }
    throw new RpcError('RPC_OVERLOADED', `the collection changed ${MAX_PLANS} times meanwhile`, { outcome: 'not-applied' })
  }

  async #ask<T>(run: (api: CoordinatorApi, options: CallOptions) => Promise<T>, mayRepeat: boolean, signal: AbortSignal | undefined, timeoutMs = this.#options.timeoutMs): Promise<T> {
    const { clock, local } = this.#options
    const end = clock.monotonic() + timeoutMs
    for (;;) {
      signal?.throwIfAborted()
      const leader = this.#leader
      let failure: unknown
      if (leader === undefined) failure = new RpcError('RPC_NOT_LEADER', 'no coordinator leads', { outcome: 'not-applied' })
      else {
        try {
          const api = leader === local?.address ? local.api : this.#remote
          return await this.#duties.ask(LEADER_KEY, leader, (lost) => underSignals(signal === undefined ? [lost] : [signal, lost], (either) => run(api, { signal: either })))
        } catch (error) {
          failure = error
        }
      }
      const again = isSafeToRepeat(failure) || (mayRepeat && isPassing(failure))
      if (!again || clock.monotonic() + RETRY_MS >= end) throw failure
      await new Promise<void>((resolve) => {
        clock.setTimer(resolve, RETRY_MS)
      })
    }
  }
}

function nameOf(record: string): string | undefined {
  try {
    const { name } = JSON.parse(record) as { readonly name?: unknown }
    return typeof name === 'string' ? name : undefined
  } catch {
    return undefined
  }
}
