/**
 * Rewrites segments in the background, one job at a time: small ones are merged, deleted rows are left out, deltas that
 * everybody knows are dropped. A job ends in one change of the metadata; until then nothing refers to what it wrote.
 */
import { fillColumn } from '../codec/fill.ts'
import { expiredSegment, withoutExpired } from './expired-rows.ts'
import { latestDeletes, withoutDead, writeRowSegment, type StampedDelete, type StampedRows } from '../datanode/stamped-rows.ts'
import type { NodeClock } from '../edge/system.ts'
import type { Column } from '../model/column.ts'
import type { CollectionMeta, SegmentMeta } from '../model/meta.ts'
import type { SegmentLoader } from '../querynode/segment-loader.ts'
import { inTurns, joinSteps, type Pause } from '../segment/index.ts'
import type { ObjectStorage } from '../storage/index.ts'
import type { MetaReader, SegmentWriter } from './api.ts'
import { nextCompaction, spentDeltas, type CompactionJob, type CompactionPolicy } from './compaction-plan.ts'
import { CompactionLog } from './compaction-log.ts'
import { CompactionRequests, type CompactionRequest } from './compaction-requests.ts'

export interface CompactorOptions extends CompactionPolicy {
  readonly meta: MetaReader
  readonly segments: SegmentWriter
  readonly storage: ObjectStorage
  readonly loader: SegmentLoader
  readonly allocateId: () => Promise<bigint>
  /** What has expired is left out. */
  readonly clock: Pick<NodeClock, 'now' | 'setTimer' | 'yieldToLoop'>
  /** Runs each job; must call what it is given, once. @default as it is */
  readonly watch?: ((run: () => Promise<CompactionOutcome>) => Promise<void>) | undefined
  readonly onWarning: (message: string, error: unknown) => void
}

/** `dropped`: its segments went while it ran, and it came to nothing. */
export type CompactionOutcome = 'completed' | 'failed' | 'dropped'

interface NextJob {
  readonly collection: CollectionMeta
  readonly job: CompactionJob
  /** Who asked for it, if anybody did. */
  readonly request?: CompactionRequest | undefined
}

/** How often segments are looked at for rows that have expired. */
const SWEEP_MS = 60_000

/** What is rewritten on request: all that can be merged, and all that has deletes waiting. */
const EAGER = { minSegments: 2, deleteShare: 0, reclaimsDeadRows: true }

export class Compactor {
  readonly #options: CompactorOptions
  readonly #requests = new CompactionRequests()
  readonly #log = new CompactionLog()
  readonly #unsubscribe: () => void
  /** Collections whose last job failed: left alone until their segments change by other hands. */
  readonly #failed = new Set<bigint>()
  #cancelSweep: () => void = () => undefined
  #running: Promise<void> | undefined
  /** Something changed that the present run may not have seen: it may be at its end. */
  #isWoken = false
  #closed = false

  constructor(options: CompactorOptions) {
    this.#options = options
    this.#unsubscribe = options.meta.onChange((change) => {
      if (change.kind !== 'segment') return
      if (change.before === undefined && change.after !== undefined) this.#failed.delete(change.after.collectionId)
      this.#wake()
    })
    this.#wake()
    this.#sweep()
  }

  /** Rewrites all that can be of a collection, ahead of what is due. @returns whether there is anything */
  request(id: bigint, collectionId: bigint): boolean {
    const { meta } = this.#options
    const isNeeded = nextCompaction(meta.segments(collectionId), (vchannel) => meta.flushedTs(collectionId, vchannel), { ...this.#options, ...EAGER }) !== undefined
    const collection = meta.collectionById(collectionId)
    const hasExpired = collection !== undefined && expiredSegment(collection, meta.segments(collectionId), this.#options.clock.now()) !== undefined
    const request = this.#requests.add(id, collectionId)
    if (isNeeded || hasExpired) this.#wake()
    else request.state = 'completed'
    return isNeeded
  }

  /** A request of this run of the compactor. */
  requested(id: bigint): Readonly<CompactionRequest> | undefined {
    return this.#requests.get(id)
  }

  /** Those that are not done. */
  executing(): readonly Readonly<CompactionRequest>[] {
    return this.#requests.executing()
  }

  /** What runs and what ended, asked for or not. */
  get log(): Pick<CompactionLog, 'running' | 'ended'> {
    return this.#log
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#cancelSweep()
    this.#unsubscribe()
    await this.#running
  }

  /** Time passes without any change of the metadata. */
  #sweep(): void {
    this.#cancelSweep = this.#options.clock.setTimer(() => {
      this.#wake()
      this.#sweep()
    }, SWEEP_MS)
  }

  #wake(): void {
    if (this.#closed) return
    this.#isWoken = true
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
      if (this.#isWoken) this.#wake()
    })
  }

  async #run(): Promise<void> {
    for (;;) {
      // A turn later: the change that woke us is told to others first.
      await Promise.resolve()
      this.#isWoken = false
      const next = this.#next()
      if (next === undefined || this.#closed) return
      const run = (): Promise<CompactionOutcome> => this.#runJob(next)
      await (this.#options.watch?.(run) ?? run())
    }
  }

  async #runJob(next: NextJob): Promise<CompactionOutcome> {
    const { meta, clock, onWarning } = this.#options
    this.#log.begin(next.collection.id, next.job.segments.map(({ id }) => id), clock.now(), next.request?.id)
    try {
      this.#log.finish(await this.#compact(next))
      return 'completed'
    } catch (error) {
      // Dropped or truncated while it was read: nothing has failed, look again.
      if (next.job.segments.some(({ id }) => meta.segment(id) === undefined)) return 'dropped'
      if (next.request === undefined) this.#failed.add(next.collection.id)
      else next.request.state = 'failed'
      this.#log.fail(error)
      if (!this.#closed) onWarning(`compaction of ${next.collection.schema.name} failed`, error)
      return 'failed'
    } finally {
      this.#log.forget()
    }
  }

  #next(): NextJob | undefined {
    const { meta } = this.#options
    for (const request of this.#requests.executing()) {
      const collection = meta.collectionById(request.collectionId)
      const job = nextCompaction(meta.segments(request.collectionId), (vchannel) => meta.flushedTs(request.collectionId, vchannel), { ...this.#options, ...EAGER })
      if (collection !== undefined && job !== undefined) return { collection, job, request }
      request.state = 'completed'
    }
    for (const collection of meta.collections()) {
      if (this.#failed.has(collection.id)) continue
      const segments = meta.segments(collection.id)
      const job = nextCompaction(segments, (vchannel) => meta.flushedTs(collection.id, vchannel), this.#options)
      if (job !== undefined) return { collection, job }
      const expired = expiredSegment(collection, segments, this.#options.clock.now())
      if (expired !== undefined) return { collection, job: { segments: [expired], deltas: [], deletesTs: expired.deletesTs } }
    }
    return undefined
  }

  async #compact({ collection, job, request }: NextJob): Promise<readonly bigint[]> {
    const { segments, meta } = this.#options
    const merged = await this.#rewrite(collection, job)
    // Dropped or truncated meanwhile: nobody else knows of what was written.
    if (job.segments.some(({ id }) => meta.segment(id) === undefined)) {
      for (const { path } of merged) await this.#options.storage.delete(path)
      return []
    }
    const gone = new Set(job.segments.map(({ id }) => id))
    const left = [...meta.segments(collection.id).filter(({ id }) => !gone.has(id)), ...merged]
    await segments.replaceSegments([...gone, ...spentDeltas(left).map(({ id }) => id)], merged)
    request?.merges.push({ sources: [...gone], target: merged[0]?.id ?? 0n })
    return merged.map(({ id }) => id)
  }

  async #rewrite(collection: CollectionMeta, job: CompactionJob): Promise<SegmentMeta[]> {
    const { storage, allocateId } = this.#options
    const [first] = job.segments
    const last = job.segments.at(-1)
    if (first === undefined || last === undefined) return []
    const { schema } = collection
    const pause = (): Promise<void> => this.#options.clock.yieldToLoop()
    const latest = await latestDeletes(await this.#deletes(collection, job.deltas), first.partitionId, pause)
    const alive = await withoutExpired(await withoutDead(await this.#rows(collection, job.segments, pause), latest, schema, pause), collection, this.#options.clock.now(), pause)
    if (alive.length === 0) return []
    const { collectionId, partitionId, vchannel, startTs } = first
    const endTs = job.segments.reduce((greatest, segment) => (segment.endTs > greatest ? segment.endTs : greatest), last.endTs)
    const segment = { id: await allocateId(), collectionId, partitionId, vchannel, startTs, endTs, deletesTs: job.deletesTs }
    return [await writeRowSegment(storage, schema, segment, alive, pause)]
  }

  async #rows({ schema }: CollectionMeta, segments: readonly SegmentMeta[], pause: Pause): Promise<StampedRows> {
    const parts: StampedRows[] = []
    for (const segment of segments) parts.push(await this.#options.loader.rows(segment, schema))
    const length = parts.reduce((sum, part) => sum + part.length, 0)
    const timestamps = new BigUint64Array(length)
    let at = 0
    for (const part of parts) {
      timestamps.set(part.timestamps.subarray(0, part.length), at)
      at += part.length
    }
    const columns = new Map<number, Column>()
    for (const field of schema.fields) {
      columns.set(field.id, await inTurns(joinSteps(parts.map((part) => part.columns.get(field.id) ?? fillColumn(field, part.length))), pause))
      await pause()
    }
    return { length, columns, timestamps }
  }

  async #deletes({ schema }: CollectionMeta, deltas: readonly SegmentMeta[]): Promise<StampedDelete[]> {
    const records: StampedDelete[] = []
    for (const delta of deltas) records.push(...(await this.#options.loader.deletes(delta, schema)))
    return records
  }
}
