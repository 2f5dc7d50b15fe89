/**
 * Reads one topic ahead by plain fetches from its leader: in no group, so that nothing has to be joined before the first record. The
 * connection is its own, since a broker answers a connection's requests one after the other.
 */
import { MsgStreamError } from '../../errors.ts'
import { OffsetId } from '../../offset-id.ts'
import type { Feed, Pull } from '../../remote/reader.ts'
import type { KafkaPullOptions } from '../pull-options.ts'
import type { Consumer, FetchedPartition, Metadata } from './types.ts'
import { visibleRecords } from './visible.ts'

const READ_COMMITTED = 1
const MAX_FETCH_BYTES = 4 << 20
const UNKNOWN_EPOCH = -1

export class FetchPull implements Pull {
  readonly #options: KafkaPullOptions
  readonly #consumer: Consumer
  readonly #feed: Feed
  readonly #running: Promise<void>
  #cursor: number
  #isStopping = false
  #stopped: Promise<void> | undefined
  #wake: (() => void) | undefined

  constructor(consumer: Consumer, options: KafkaPullOptions, cursor: number, feed: Feed) {
    this.#options = options
    this.#consumer = consumer
    this.#cursor = cursor
    this.#feed = feed
    this.#running = this.#run()
  }

  resume(): void {
    this.#wake?.()
  }

  stop(): Promise<void> {
    this.#isStopping = true
    this.#wake?.()
    this.#stopped ??= this.#running.then(() => this.#consumer.close(true).catch(() => {}))
    return this.#stopped
  }

  async #run(): Promise<void> {
    let pauseMs = 50
    while (!this.#isStopping) {
      try {
        await this.#options.check(this.#cursor)
        const metadata = await this.#consumer.metadata({ topics: [this.#options.topic], forceUpdate: true })
        while (!this.#isStopping) {
          if (this.#feed.isFull()) await this.#room()
          else this.#take(await this.#fetch(metadata))
          pauseMs = 50
          if (!this.#feed.isLive()) return
        }
      } catch (error) {
        if (!isPassing(error)) return this.#feed.fail(error)
        await this.#pause(pauseMs)
        pauseMs = Math.min(2 * pauseMs, 2000)
      }
    }
  }

  async #fetch({ topics }: Metadata): Promise<FetchedPartition> {
    const { topic, maxWaitMs } = this.#options
    const found = topics.get(topic)
    const leader = found?.partitions[0]?.leader
    if (found === undefined || leader === undefined || leader < 0) throw new MsgStreamError('MSG_UNAVAILABLE', `partition 0 of ${topic} has no leader`)
    const partition = { partition: 0, currentLeaderEpoch: UNKNOWN_EPOCH, fetchOffset: BigInt(this.#cursor), lastFetchedEpoch: UNKNOWN_EPOCH, partitionMaxBytes: MAX_FETCH_BYTES }
    const { responses } = await this.#consumer.fetch({
      node: leader,
      maxWaitTime: maxWaitMs,
      minBytes: 1,
      maxBytes: MAX_FETCH_BYTES,
      isolationLevel: READ_COMMITTED,
      topics: [{ topicId: found.id, partitions: [partition] }],
    })
    const fetched = responses[0]?.partitions[0]
    if (fetched === undefined) return { logStartOffset: 0n, abortedTransactions: [] }
    // Kafka says nothing of what retention takes between two fetches.
    if (Number(fetched.logStartOffset) > this.#cursor) await this.#options.check(this.#cursor)
    return fetched
  }

  #take(fetched: FetchedPartition): void {
    if (this.#isStopping) return
    const { offsets, frames, last } = visibleRecords(fetched, this.#cursor)
    const ids = offsets.map((offset) => new OffsetId('kafka', offset))
    if (frames.length > 0) this.#feed.push(ids, frames)
    if (last < this.#cursor) return
    this.#cursor = last + 1
    this.#feed.passed(new OffsetId('kafka', last))
  }

  /** Until there is room in the feed, or this is stopped. */
  async #room(): Promise<void> {
    await this.#pause(1000)
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.#options.clock.setTimer(resolve, ms)
      this.#wake = () => {
        cancel()
        resolve()
      }
    })
  }
}

const isPassing = (error: unknown): boolean => !(error instanceof MsgStreamError) || error.retryable
