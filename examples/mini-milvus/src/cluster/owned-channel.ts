/**
 * A log channel in the hands of its owner: the only one that writes to it, gives it time, and puts its rows into segments. What it says is
 * done is done: it answers only while its lease holds, so nobody else can have had the channel before the answer's write.
 */
import { createTsMsg, positionFromJson, type MsgPosition, type MsgPositionJson, type TimeTickProducer, type TsMsg } from '@timetick/msgstream'
import type { GlobalParamsTable } from '@timetick/paramtable'
import type { IdAllocator } from '@timetick/tso'
import { metaRecord, type FencedLog } from '../channel/fenced-mq.ts'
import type { SegmentWriter } from '../coordinator/api.ts'
import { Compactor, type CompactorOptions } from '../coordinator/compactor.ts'
import { IndexBuilder } from '../coordinator/index-builder.ts'
import { startDataNode, type DataNode } from '../datanode/data-node.ts'
import type { NodeClock } from '../edge/system.ts'
import type { Engine } from '../engine/index.ts'
import { RpcError } from '../internal/errors.ts'
import type { SegmentIndexMeta } from '../model/meta.ts'
import type { Stores } from '../node/stores.ts'
import { createSegmentLoader } from '../querynode/storage-loader.ts'
import { MilvusError } from '../server/status.ts'
import { heldUntilKnown } from '../writer/dml-writer.ts'
import type { AppendRequest, ChannelTerm, DecideRequest, PartRequest } from './apis.ts'
import type { CatalogMirror } from './catalog-mirror.ts'
import type { ChannelHolds } from './channel-holds.ts'
import { commitsOf } from './commit-records.ts'
import type { CoordinatorClient } from './coordinator-client.ts'
import { endsProducer, notOwner, openOwnedLog } from './owned-log.ts'
import { metaOfChannel } from './owned-meta.ts'

export interface OwnedChannelOptions {
  readonly stores: Stores
  readonly log: FencedLog
  readonly engine: Engine
  readonly mirror: CatalogMirror
  readonly coordinator: CoordinatorClient
  readonly ids: IdAllocator
  readonly parameters: GlobalParamsTable
  readonly clock: NodeClock
  readonly watchCompaction?: CompactorOptions['watch'] | undefined
  readonly onWarning: (message: string, error: unknown) => void
}

export interface ChannelDuty extends ChannelTerm {
  /** Of the assignment's record. */
  readonly revision: bigint
  /** The lease under which the channel was given still holds. */
  readonly isHeld: () => boolean
  /** It can not go on: the channel must be given to somebody anew. */
  readonly onFailure: (error: Error) => void
}

interface Parts {
  readonly ticks: TimeTickProducer
  readonly holds: ChannelHolds
  readonly dataNode: DataNode
  readonly indexBuilder: IndexBuilder
  readonly compactor: Compactor
  readonly segments: SegmentWriter
}

export class OwnedChannel {
  readonly duty: ChannelDuty
  readonly #options: OwnedChannelOptions
  readonly #closing = new AbortController()
  #parts: Parts | undefined
  /** Readers were told to know the metadata as of here. */
  #metaRevision = 0n

  private constructor(options: OwnedChannelOptions, duty: ChannelDuty) {
    this.#options = options
    this.duty = duty
  }

  /** Takes the channel over. Rejects, with nothing left open, when that fails or it is somebody else's by now. */
  static async open(options: OwnedChannelOptions, duty: ChannelDuty): Promise<OwnedChannel> {
    const channel = new OwnedChannel(options, duty)
    try {
      await channel.#open()
      return channel
    } catch (error) {
      await channel.close()
      throw error
    }
  }

  get dataNode(): DataNode {
    return this.#running().dataNode
  }

  get compactor(): Compactor {
    return this.#running().compactor
  }

  /** 0n before the first. */
  get lastTick(): bigint {
    return this.#parts?.ticks.lastTick(this.duty.pchannel) ?? 0n
  }

  get isStalled(): boolean {
    return this.#parts?.dataNode.isStalled === true
  }

  /** Once it has begun it settles when the log has answered: until then its bytes are held, whoever gives up. */
  async append({ records, metaRevision }: AppendRequest, signal: AbortSignal | undefined): Promise<{ timestamp: bigint }> {
    const { ticks } = this.#running()
    await this.#checkCollections(records, metaRevision, signal)
    this.assertHeld()
    const { pchannel } = this.duty
    const build = (): TsMsg[] => this.#behindMeta(metaRevision, records.map(({ type, properties, body }) => createTsMsg({ type, properties, body })))
    const { timestamp } = await this.#written(heldUntilKnown(ticks).write(() => [{ channel: pchannel, msgs: build() }], [pchannel], { signal }))
    this.#toldMeta(metaRevision)
    if (!this.duty.isHeld()) throw new RpcError('RPC_FENCED', `the lease ended before the write to ${pchannel} could be confirmed`, { outcome: 'unknown', retryable: true })
    return { timestamp }
  }

  /** Time stands still for a commit of rule `flush`. @returns the revision on which its record depends */
  holdTime(id: string): Promise<bigint> {
    this.assertHeld()
    return this.#running().holds.hold(id)
  }

  /** The proxy of a commit is there: it may have to wait for room. */
  touchHold(id: string): void {
    this.#running().holds.touch(id)
  }

  /** As {@link append}, but at the timestamp of a commit that is held. */
  async appendPart({ id, index, ts, records, metaRevision }: PartRequest, signal: AbortSignal | undefined): Promise<void> {
    const { holds } = this.#running()
    await this.#checkCollections(records, metaRevision, signal)
    this.assertHeld()
    await holds.append({ id, index, ts }, () => this.#behindMeta(metaRevision, records.map(({ type, properties, body }) => createTsMsg({ type, ts, properties, body }))))
    this.#toldMeta(metaRevision)
  }

  decide({ id, committed }: DecideRequest): Promise<void> {
    return this.#running().holds.decide(id, committed)
  }

  requestTick(atLeast: bigint): void {
    const { ticks } = this.#running()
    ticks.requestTick([this.duty.pchannel], atLeast)
  }

  async reportBadIndex(segmentId: bigint, index: SegmentIndexMeta): Promise<void> {
    const { segments } = this.#running()
    await segments.saveSegmentIndex(segmentId, { ...index, state: 'building', reason: 'the file was damaged' })
  }

  assertHeld(): void {
    if (!this.duty.isHeld() || this.#closing.signal.aborted) throw notOwner(this.duty.pchannel)
  }

  /** Lets writes under way end, stops reading; what is buffered stays in the log. Idempotent. */
  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return
    this.#closing.abort(new RpcError('RPC_CLOSED', `${this.duty.pchannel} is given up`, { outcome: 'unknown' }))
    const { ticks, holds, dataNode, indexBuilder, compactor } = this.#parts ?? {}
    await holds?.close()
    await ticks?.close()
    await compactor?.close()
    await indexBuilder?.close()
    await dataNode?.close()
  }

  async #open(): Promise<void> {
    const { stores, log, engine, mirror, coordinator, ids, parameters, clock } = this.#options
    // That the channel is given up ends what is under way: no news.
    const onWarning = (message: string, error: unknown): void => {
      if (!this.#closing.signal.aborted || error !== this.#closing.signal.reason) this.#options.onWarning(message, error)
    }
    const { pchannel, epoch, isHeld, onFailure } = this.duty
    await stores.mq.createChannel(pchannel)
    const { ticks, holds, commits } = await openOwnedLog({
      kv: stores.kv, mq: stores.mq, log, duty: this.duty, clock,
      allocate: () => coordinator.timestamps.allocOne().catch(nothingWritten),
      tickIntervalMs: parameters.getDurationMs('proxy.timeTickInterval'),
      commitTimeoutMs: parameters.getDurationMs('cluster.commitTimeout'),
      passed: async () => {
        // Everything that the former owner reported is older than the assignment: it is known here before the log is read.
        await mirror.catchUp()
        this.assertHeld()
        return positionOf(mirror.checkpoint(pchannel))?.timestamp ?? 0n
      },
      onTickError: (error) => {
        if (isHeld()) onWarning(`a time tick of ${pchannel} failed`, error)
      },
    })
    const requestTick = (channels: readonly string[], atLeast: bigint): void => ticks.requestTick(channels, atLeast)
    try {
      const segments = coordinator.reports({ pchannel, epoch }, this.#closing.signal)
      const dataNode = await startDataNode({
        meta: mirror, segments, mq: log.readers, storage: stores.storage, pchannels: [pchannel], clock, requestTick,
        transactions: commitsOf(commits),
        allocateId: () => ids.allocOne(),
        checkpoint: () => positionOf(mirror.checkpoint(pchannel)),
        // Cuts are put off for readers that lag: see FencedLog.
        oldestReader: () => undefined,
        sealBytes: parameters.getBytes('dataNode.sealBytes'),
        sealIdleMs: parameters.getDurationMs('dataNode.sealIdle'),
        maxBufferedBytes: parameters.getBytes('dataNode.maxBufferedBytes'),
        onFailure, onWarning,
      })
      const shared = { meta: metaOfChannel(mirror, pchannel), segments, storage: stores.storage, loader: createSegmentLoader(stores.storage), clock, onWarning }
      const indexBuilder = new IndexBuilder({ ...shared, engine, minRows: parameters.getInt('indexNode.minRows') })
      const compactor = new Compactor({
        ...shared,
        allocateId: () => ids.allocOne(),
        minSegments: parameters.getInt('compaction.minSegments'),
        maxBytes: parameters.getBytes('dataNode.sealBytes'),
        deleteShare: parameters.getFloat('compaction.deleteShare'),
        watch: this.#options.watchCompaction,
      })
      this.#parts = { ticks, holds, dataNode, indexBuilder, compactor, segments }
    } catch (error) {
      await holds.close()
      await ticks.close()
      throw error
    }
  }

  #behindMeta(metaRevision: bigint, msgs: readonly TsMsg[]): TsMsg[] {
    return metaRevision <= this.#metaRevision ? [...msgs] : [metaRecord(metaRevision), ...msgs]
  }

  /** It is in the log. */
  #toldMeta(metaRevision: bigint): void {
    if (metaRevision > this.#metaRevision) this.#metaRevision = metaRevision
  }

  /** A write of unknown outcome ends the producer for good: a new epoch makes sure that it does not appear later. */
  async #written<T>(write: Promise<T>): Promise<T> {
    try {
      return await write
    } catch (error) {
      const { outcome } = error as { readonly outcome?: unknown }
      // The next owner may take it.
      if (outcome === 'not-applied' && this.#closing.signal.aborted) throw notOwner(this.duty.pchannel)
      if (endsProducer(error)) this.duty.onFailure(error instanceof Error ? error : new Error(String(error)))
      throw error
    }
  }

  /** Rows of a collection that is gone would be acknowledged and never seen. */
  async #checkCollections(records: AppendRequest['records'], metaRevision: bigint, signal: AbortSignal | undefined): Promise<void> {
    const { mirror } = this.#options
    const missing = (): string | undefined => records.map(({ properties }) => properties['c']).find((id) => id !== undefined && mirror.collectionById(BigInt(id)) === undefined)
    if (missing() === undefined) return
    await mirror.waitFor(metaRevision, signal)
    await mirror.catchUp(signal)
    const id = missing()
    if (id !== undefined) throw new MilvusError(100, `collection not found[collection=${id}]`)
  }

  #running(): Parts {
    if (this.#parts === undefined) throw notOwner(this.duty.pchannel)
    return this.#parts
  }
}

/** A timestamp that did not come says nothing of the log: the channel is not given back for it. */
function nothingWritten(error: unknown): never {
  throw new RpcError('RPC_UNAVAILABLE', `there is no timestamp: ${error instanceof Error ? error.message : String(error)}`, { cause: error, outcome: 'not-applied' })
}

function positionOf(json: string | undefined): MsgPosition | undefined {
  return json === undefined ? undefined : positionFromJson(JSON.parse(json) as MsgPositionJson)
}
