/**
 * The data node: reads the log, keeps what is not in segments yet, and writes it as segments. A flush is one atomic change of
 * the metadata: new segments and how far the shard is flushed. What a crash interrupts is read from the log again.
 */
import { comparePositions, positionToJson, type Mq, type MsgPosition } from '@timetick/msgstream'
import { openChannelGraph, type ChannelGraph } from '../channel/channel-graph.ts'
import type { MetaReader, SegmentWriter } from '../coordinator/api.ts'
import { ServiceTime } from '../channel/service-time.ts'
import type { NodeClock } from '../edge/system.ts'
import { MilvusError } from '../server/status.ts'
import type { TransactionReader } from '../staging/transactions.ts'
import type { ObjectStorage } from '../storage/index.ts'
import { ChannelBuffers, type SealPolicy } from './channel-buffers.ts'
import { flushBuffer } from './flush-buffer.ts'
import { BufferNode, FilterNode, FlushNode } from './graph-nodes.ts'
import type { SealedBuffer, ShardKey } from './shard-buffer.ts'

export interface DataNodeOptions extends SealPolicy {
  readonly meta: MetaReader
  readonly segments: SegmentWriter
  readonly mq: Mq
  readonly storage: ObjectStorage
  readonly pchannels: readonly string[]
  readonly clock: NodeClock
  /** Parts of flushes of rule `flush` are left out without it. */
  readonly transactions?: TransactionReader | undefined
  readonly allocateId: () => Promise<bigint>
  readonly checkpoint: (pchannel: string) => MsgPosition | undefined
  readonly requestTick: (pchannels: readonly string[], atLeast: bigint) => void
  /** Other readers of a channel still need it from here on. */
  readonly oldestReader: (pchannel: string) => bigint | undefined
  /** Bytes that a channel may hold, buffered and in flushes, before the log is no longer read. */
  readonly maxBufferedBytes: number
  readonly onFailure: (error: Error) => void
  readonly onWarning: (message: string, error: unknown) => void
}

const CHECKPOINT_MS = 1_000
const RETRY_MS = 1_000

interface Channel {
  readonly name: string
  readonly buffers: ChannelBuffers
  /** How far the channel has been read. */
  readonly read: ServiceTime
  graph: ChannelGraph | undefined
  /** Flushes of the channel, one after the other. */
  tail: Promise<void>
  saved: MsgPosition | undefined
  /** The log before the saved position is gone. */
  cut: boolean
}

export async function startDataNode(options: DataNodeOptions): Promise<DataNode> {
  const node = new DataNode(options)
  await node.start()
  return node
}

export class DataNode {
  readonly #options: DataNodeOptions
  readonly #channels: ReadonlyMap<string, Channel>
  #unsubscribe: (() => void) | undefined
  #cancelTimer: (() => void) | undefined
  readonly #pauses = new Set<() => void>()
  #closed = false

  constructor(options: DataNodeOptions) {
    this.#options = options
    this.#channels = new Map(
      options.pchannels.map((name) => {
        const buffers = new ChannelBuffers(options.meta, options)
        return [name, { name, buffers, read: new ServiceTime(), graph: undefined, tail: Promise.resolve(), saved: options.checkpoint(name), cut: false }]
      }),
    )
  }

  async start(): Promise<void> {
    this.#unsubscribe = this.#options.meta.onChange((change) => {
      if (change.kind !== 'collection') return
      for (const { buffers } of this.#channels.values()) {
        if (change.after === undefined) buffers.drop(change.id)
        else if (change.after.truncatedTs !== change.before?.truncatedTs) buffers.truncate(change.id, change.after.truncatedTs)
        for (const { id } of change.before?.partitions ?? []) {
          if (change.after?.partitions.every((kept) => kept.id !== id) === true) buffers.dropPartition(change.id, id)
        }
      }
    })
    for (const channel of this.#channels.values()) channel.graph = await this.#openGraph(channel)
    this.#scheduleCheckpoint()
  }

  /** Stops reading; flushes under way are finished, buffered rows stay in the log. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#unsubscribe?.()
    this.#cancelTimer?.()
    for (const done of this.#pauses) done()
    const channels = [...this.#channels.values()]
    await Promise.all(channels.map(async (channel) => channel.graph?.close()))
    await Promise.all(channels.map((channel) => channel.tail))
    for (const { buffers } of channels) buffers.fail(new MilvusError(1, 'service not ready, retry later: the data node was closed'))
  }

  /** Resolves when everything of the shard at or below `ts` is in segments. */
  async flushShard(key: ShardKey, ts: bigint): Promise<void> {
    const collection = this.#options.meta.collectionById(key.collectionId)
    const shard = collection?.shards.find(({ vchannel }) => vchannel === key.vchannel)
    if (shard === undefined) return
    const { buffers } = this.#channel(shard.pchannel)
    const flushed = buffers.flush(key, ts)
    this.#options.requestTick([shard.pchannel], ts > buffers.tick ? ts : buffers.tick + 1n)
    await flushed
  }

  /** Rows in the log that no segment holds yet, as far as the log was read. */
  unflushedRows(collectionId: bigint, partitionId?: bigint, throughTs?: bigint): number {
    return [...this.#channels.values()].reduce((sum, { buffers }) => sum + buffers.unflushedRows(collectionId, partitionId, throughTs), 0)
  }

  /** Collections with such rows. */
  unflushedCollections(): bigint[] {
    return [...new Set([...this.#channels.values()].flatMap(({ buffers }) => [...buffers.unflushedCollections()]))]
  }

  /** Resolves when these channels have been read up to `ts`. */
  async waitForTicks(pchannels: readonly string[], ts: bigint): Promise<void> {
    await Promise.all(pchannels.map((name) => this.#channel(name).read.wait(ts)))
  }

  /** A flush waits for space or for a store that is away. */
  get isStalled(): boolean {
    return this.#pauses.size > 0
  }

  /** How far each channel has been read. */
  readTimes(): ReadonlyMap<string, bigint> {
    return new Map([...this.#channels.values()].map(({ name, read }) => [name, read.ts]))
  }

  bufferedBytes(): number {
    return [...this.#channels.values()].reduce((sum, { buffers }) => sum + buffers.bufferedBytes, 0)
  }

  #channel(name: string): Channel {
    const channel = this.#channels.get(name)
    if (channel === undefined) throw new Error(`channel ${name} is not one of this node's`)
    return channel
  }

  #openGraph(channel: Channel): Promise<ChannelGraph> {
    const { mq, meta, clock, checkpoint, transactions, onFailure } = this.#options
    const name = `data/${channel.name}`
    const room = (): Promise<void> | undefined => (channel.buffers.bufferedBytes > this.#options.maxBufferedBytes ? channel.tail : undefined)
    const nodes = [
      new FilterNode(`${name}/filter`, meta),
      new BufferNode(`${name}/buffer`, channel.buffers, channel.read, clock),
      new FlushNode(`${name}/flush`, (sealed) => this.#enqueue(channel, sealed), room),
    ]
    return openChannelGraph({ mq, channel: channel.name, subscription: name, position: checkpoint(channel.name), nodes, clock, transactions, onFailure })
  }

  #enqueue(channel: Channel, sealed: SealedBuffer): void {
    channel.tail = channel.tail.then(() => this.#flushAtLast(channel, sealed))
  }

  /** A full disk or a store that is away is waited for: the rows are in the log, and reads go on. */
  async #flushAtLast(channel: Channel, sealed: SealedBuffer): Promise<void> {
    for (let attempt = 1; !this.#closed; attempt++) {
      try {
        await this.#flush(channel, sealed)
        return
      } catch (error) {
        if (this.#closed) return
        const failure = error instanceof Error ? error : new Error(String(error))
        // Who asked for the flush is told now, and may ask again.
        channel.buffers.fail(failure)
        // Without this flush the shard can never move on: storage or metadata failed for good.
        if (!isPassing(failure)) return this.#options.onFailure(failure)
        if (attempt === 1) this.#options.onWarning(`a flush of ${channel.name} failed and is tried again until it is done`, failure)
        await this.#pause()
      }
    }
  }

  /** Until the next attempt, or the end. */
  #pause(): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        cancelTimer()
        this.#pauses.delete(done)
        resolve()
      }
      const cancelTimer = this.#options.clock.setTimer(done, RETRY_MS)
      this.#pauses.add(done)
    })
  }

  async #flush(channel: Channel, sealed: SealedBuffer): Promise<void> {
    const { meta, segments, storage, allocateId } = this.#options
    const { collectionId, vchannel } = sealed
    const collection = meta.collectionById(collectionId)
    if (collection !== undefined) {
      const startTs = meta.flushedTs(collectionId, vchannel)
      const written = await flushBuffer(sealed, { storage, collection, startTs, allocateId, pause: () => this.#options.clock.yieldToLoop() })
      await segments.saveFlush({ collectionId, vchannel, flushedTs: sealed.endTs, segments: written })
      // Dropped meanwhile, or an earlier attempt was saved although nobody answered: nothing refers to these files.
      for (const { id, path } of written) if (meta.segment(id) === undefined) await storage.delete(path)
    }
    channel.buffers.saved(sealed)
    if (sealed.bytes > 0) await this.#saveCheckpoint(channel)
    if (channel.buffers.hasWishes) this.#options.requestTick([channel.name], channel.buffers.tick + 1n)
  }

  #scheduleCheckpoint(): void {
    this.#cancelTimer = this.#options.clock.setTimer(() => {
      const saves = [...this.#channels.values()].map((channel) => this.#saveCheckpoint(channel))
      void Promise.allSettled(saves).then((results) => {
        for (const result of results) {
          if (result.status === 'rejected' && !this.#closed) this.#options.onWarning('saving a checkpoint failed', result.reason)
        }
        if (!this.#closed) this.#scheduleCheckpoint()
      })
    }, CHECKPOINT_MS)
  }

  /** Saves how far the channel need not be read again, and lets the log go before that. Idle channels cost nothing. */
  async #saveCheckpoint(channel: Channel): Promise<void> {
    const position = channel.buffers.checkpoint()
    if (position !== undefined && (channel.saved === undefined || !sameId(position, channel.saved))) {
      await this.#options.segments.saveCheckpoint(channel.name, JSON.stringify(positionToJson(position)))
      channel.saved = position
      channel.cut = false
    }
    if (!channel.cut) await this.#cutLog(channel)
  }

  /** Only behind all readers: one that lags is waited for until the next time. */
  async #cutLog(channel: Channel): Promise<void> {
    const { saved, name } = channel
    const oldest = this.#options.oldestReader(name)
    // What cannot be cut goes by the broker's own retention.
    if (saved?.msgId === undefined || !this.#options.mq.features.truncate || (oldest !== undefined && oldest < saved.timestamp)) return
    await this.#options.mq.truncate(name, saved.msgId)
    channel.cut = true
  }
}

function sameId(a: MsgPosition, b: MsgPosition): boolean {
  return comparePositions({ ...a, timestamp: 0n }, { ...b, timestamp: 0n }) === 0
}

/** What space or another moment heals. A commit that may have been saved is asked for again: the metadata takes it once. */
function isPassing(error: Error): boolean {
  return 'retryable' in error && error.retryable === true
}
