/**
 * A layer on a KVBase: rows as they change, and at a clean stop the end of the history. After a crash the rows are shown, stale,
 * under a new epoch: what was dropped meanwhile was told to nobody.
 */
import type { KVBase } from '@timetick/kv'
import type { Entity, InsightEvent } from './model.ts'
import type { Layer } from './layer.ts'
import { StoredRows } from './stored-rows.ts'

const FORMAT = 1
const TAIL_EVENTS = 2000
const TAIL_CHUNK = 100

export interface StoredLayer {
  readonly epoch: string
  readonly seq: number
  readonly entities: Entity[]
  readonly tail: InsightEvent[]
  /** The history goes on where it ended. */
  readonly isClean: boolean
  readonly fingerprint: string | undefined
  readonly savedAt: number
}

interface Meta {
  readonly format: number
  readonly epoch: string
  readonly seq: number
  readonly clean: boolean
  readonly fingerprint?: string | undefined
  readonly savedAt: number
}

export class Checkpoint {
  readonly #kv: KVBase
  readonly #prefix: string
  readonly #rows: StoredRows

  constructor(kv: KVBase, layerId: string) {
    this.#kv = kv
    this.#prefix = `insight/${FORMAT}/${layerId}/`
    this.#rows = new StoredRows(kv, this.#prefix)
  }

  get #metaKey(): string {
    return `${this.#prefix}meta`
  }

  /** What was saved, and a mark that it is in use: should the process die now, it is not clean. Undefined when there is nothing. */
  async open(): Promise<StoredLayer | undefined> {
    const text = await this.#kv.load(this.#metaKey)
    const meta = text === undefined ? undefined : readMeta(text)
    if (meta === undefined) {
      // Or what a first save left that did not come to its end.
      await this.remove()
      return undefined
    }
    const entities = await this.#rows.load()
    const tail: InsightEvent[] = []
    if (meta.clean) for await (const { value } of this.#rows.entries('tail/')) tail.push(...(JSON.parse(value) as InsightEvent[]))
    await this.#saveMeta({ ...meta, clean: false })
    const { epoch, seq, clean, fingerprint, savedAt } = meta
    const isClean = clean && tail.every((event, i) => event.seq === seq - tail.length + 1 + i)
    return { epoch, seq, entities, tail: isClean ? tail : [], isClean, fingerprint, savedAt }
  }

  /** Saves the rows that changed since the last time. A failure leaves them to the next. */
  async flush(layer: Layer, now: number, fingerprint: string | undefined): Promise<number> {
    const dirty = layer.takeDirty()
    try {
      const meta: Meta = { format: FORMAT, epoch: layer.epoch, seq: layer.seq, clean: false, fingerprint, savedAt: now }
      await this.#rows.save(layer, dirty, new Map([[this.#metaKey, JSON.stringify(meta)]]))
      return dirty.length
    } catch (error) {
      layer.markDirty(dirty)
      throw error
    }
  }

  /** The last save of a stopped layer: the mark that all is there is written last. */
  async finish(layer: Layer, now: number, fingerprint: string | undefined): Promise<void> {
    await this.flush(layer, now, fingerprint)
    await this.#kv.removeWithPrefix(`${this.#prefix}tail/`)
    const found = layer.since(layer.epoch, Math.max(0, layer.seq - Math.min(TAIL_EVENTS, layer.ringDepth)))
    const tail = typeof found === 'string' ? [] : found
    for (let first = 0; first < tail.length; first += TAIL_CHUNK) {
      await this.#kv.save(`${this.#prefix}tail/${String(first).padStart(8, '0')}`, JSON.stringify(tail.slice(first, first + TAIL_CHUNK)))
    }
    await this.#saveMeta({ format: FORMAT, epoch: layer.epoch, seq: layer.seq, clean: true, fingerprint, savedAt: now })
  }

  async remove(): Promise<void> {
    await this.#rows.remove()
  }

  async #saveMeta(meta: Meta): Promise<void> {
    await this.#kv.save(this.#metaKey, JSON.stringify(meta))
  }
}

function readMeta(text: string): Meta | undefined {
  const meta = parse(text) as Partial<Meta> | undefined
  if (meta?.format !== FORMAT || typeof meta.epoch !== 'string' || typeof meta.seq !== 'number') return undefined
  return { format: FORMAT, epoch: meta.epoch, seq: meta.seq, clean: meta.clean === true, fingerprint: meta.fingerprint, savedAt: meta.savedAt ?? 0 }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
