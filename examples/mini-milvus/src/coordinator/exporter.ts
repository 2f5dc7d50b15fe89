/**
 * Exports: all rows of a collection as they were at one timestamp, read from their segments page by page. Files that an export reads
 * are held until it ends, whatever is compacted or dropped meanwhile; nothing needs to be loaded.
 */
import { fillColumn } from '../codec/fill.ts'
import { latestDeletes, pickRows, segmentFolder, withoutDead, type StampedDelete, type StampedRows } from '../datanode/stamped-rows.ts'
import type { NodeClock } from '../edge/system.ts'
import type { Column, RowBatch } from '../model/column.ts'
import type { CollectionMeta, SegmentMeta } from '../model/meta.ts'
import type { SegmentLoader } from '../querynode/segment-loader.ts'
import { invalid, MilvusError } from '../server/status.ts'
import type { MetaReader } from './api.ts'
import { withoutExpired } from './expired-rows.ts'

export interface ExporterOptions {
  readonly meta: MetaReader
  readonly loader: SegmentLoader
  readonly clock: Pick<NodeClock, 'now' | 'setTimer' | 'yieldToLoop'>
  readonly allocateId: () => Promise<bigint>
  readonly allocateTs: () => Promise<bigint>
  /** Resolves when everything of the collection at or below `ts` is in segments. */
  readonly flush: (collection: CollectionMeta, ts: bigint) => Promise<void>
  /** Keeps files below a folder from being removed until the result is called. */
  readonly hold: (folder: string) => () => void
}

export interface OpenedExport {
  readonly id: bigint
  /** The moment that its rows are of. */
  readonly ts: bigint
  readonly rows: number
}

interface Export extends OpenedExport {
  readonly collection: CollectionMeta
  readonly segments: readonly SegmentMeta[]
  readonly deletes: readonly StampedDelete[]
  readonly nowMs: number
  readonly release: () => void
  cancelTimer: () => void
  segment: number
  /** Of the present segment, those that live. */
  alive: StampedRows | undefined
  row: number
  reading: Promise<unknown>
}

const MAX_OPEN = 16
/** An export that nobody reads is given up. */
const IDLE_MS = 600_000
const MAX_ATTEMPTS = 50

export class Exporter {
  readonly #options: ExporterOptions
  readonly #exports = new Map<bigint, Export>()
  #closed = false

  constructor(options: ExporterOptions) {
    this.#options = options
  }

  async open(collection: CollectionMeta, partitionIds: readonly bigint[] | undefined): Promise<OpenedExport> {
    if (this.#exports.size >= MAX_OPEN) throw new MilvusError(8, `${MAX_OPEN} exports are open; try again when one has ended`)
    const { clock, allocateId } = this.#options
    const moment = await this.#moment(collection, partitionIds)
    const opened: Export = {
      ...moment, collection, id: await allocateId(), rows: 0, nowMs: clock.now(), cancelTimer: () => undefined, segment: 0, alive: undefined, row: 0, reading: Promise.resolve(),
    }
    try {
      let rows = 0
      for (const segment of opened.segments) rows += (await this.#alive(opened, segment)).length
      if (this.#closed) throw new MilvusError(1, 'service not ready: the node is stopping')
      const counted = { ...opened, rows }
      this.#exports.set(counted.id, counted)
      this.#rest(counted)
      return { id: counted.id, ts: counted.ts, rows }
    } catch (error) {
      opened.release()
      throw error
    }
  }

  /** The next rows, `limit` at the most; none behind the last. One call after the other. */
  read(id: bigint, limit: number): Promise<RowBatch> {
    const opened = this.#exports.get(id)
    if (opened === undefined) throw invalid(`export ${id} is not known: it has ended, or nobody read it for a while`)
    opened.cancelTimer()
    const reading = opened.reading.then(() => this.#next(opened, limit)).finally(() => this.#rest(opened))
    opened.reading = reading.catch(() => undefined)
    return reading
  }

  end(id: bigint): void {
    const opened = this.#exports.get(id)
    opened?.cancelTimer()
    opened?.release()
    this.#exports.delete(id)
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const id of this.#exports.keys()) this.end(id)
  }

  #rest(opened: Export): void {
    opened.cancelTimer()
    if (this.#exports.has(opened.id)) opened.cancelTimer = this.#options.clock.setTimer(() => this.end(opened.id), IDLE_MS)
  }

  /**
   * A timestamp of which the segments can tell exactly. A flush and a compaction leave out rows that are dead when they run: should a
   * delete later than the moment have killed some already, another moment is taken.
   */
  async #moment(collection: CollectionMeta, partitionIds: readonly bigint[] | undefined): Promise<Pick<Export, 'ts' | 'segments' | 'deletes' | 'release'>> {
    const { meta, allocateTs, flush, hold } = this.#options
    for (let attempt = 1; ; attempt++) {
      const ts = await allocateTs()
      await flush(collection, ts)
      const all = meta.segments(collection.id).filter(({ startTs, partitionId }) => startTs < ts && (partitionIds === undefined || partitionId === 0n || partitionIds.includes(partitionId)))
      const releases = all.map(({ collectionId, id }) => hold(segmentFolder(collectionId, id)))
      const release = (): void => releases.splice(0).forEach((done) => done())
      try {
        const deletes: StampedDelete[] = []
        for (const delta of all.filter(({ level }) => level === 'L0')) deletes.push(...(await this.#options.loader.deletes(delta, collection.schema)))
        const segments = all.filter(({ level, rowsTs }) => level === 'L1' && (rowsTs === undefined || rowsTs <= ts))
        const isExact = segments.every(({ deletesTs, endTs, deadRows, vchannel }) => deletesTs <= ts || (deletesTs === endTs && (deadRows === undefined || !hasLaterDelete(all, deletes, ts, vchannel))))
        if (isExact) return { ts, segments, deletes: deletes.filter((record) => record.ts <= ts), release }
        if (attempt >= MAX_ATTEMPTS) throw new MilvusError(1, 'too much is deleted right now to export one moment; try again')
        release()
      } catch (error) {
        release()
        throw error
      }
    }
  }

  async #next(opened: Export, limit: number): Promise<RowBatch> {
    for (;;) {
      const segment = opened.segments[opened.segment]
      if (segment === undefined) return { length: 0, columns: new Map(opened.collection.schema.fields.map((field) => [field.id, fillColumn(field, 0)])) }
      opened.alive ??= await this.#alive(opened, segment)
      if (opened.row < opened.alive.length) break
      opened.segment++
      opened.alive = undefined
      opened.row = 0
    }
    const { alive } = opened
    const count = Math.min(limit, alive.length - opened.row)
    const picked = await pickRows(alive, Uint32Array.from({ length: count }, (_, i) => opened.row + i), () => this.#options.clock.yieldToLoop())
    opened.row += count
    const columns = new Map<number, Column>(opened.collection.schema.fields.map((field) => [field.id, picked.columns.get(field.id) ?? fillColumn(field, count)]))
    return { length: count, columns }
  }

  async #alive(opened: Pick<Export, 'collection' | 'deletes' | 'ts' | 'nowMs'>, segment: SegmentMeta): Promise<StampedRows> {
    const { collection, deletes, ts, nowMs } = opened
    const pause = (): Promise<void> => this.#options.clock.yieldToLoop()
    const rows = await this.#options.loader.rows(segment, collection.schema)
    const written = Uint32Array.from(rows.timestamps.subarray(0, rows.length).keys()).filter((row) => {
      const at = rows.timestamps[row] as bigint
      return at <= ts && at > collection.truncatedTs
    })
    const then = written.length === rows.length ? rows : await pickRows(rows, written, pause)
    return withoutExpired(await withoutDead(then, await latestDeletes(deletes, segment.partitionId, pause), collection.schema, pause), collection, nowMs, pause)
  }
}

/** Whether a shard has deletes behind the moment that are in segments already. */
function hasLaterDelete(segments: readonly SegmentMeta[], deletes: readonly StampedDelete[], ts: bigint, vchannel: string): boolean {
  return segments.some((delta) => delta.level === 'L0' && delta.vchannel === vchannel && delta.endTs > ts) && deletes.some((record) => record.ts > ts)
}
