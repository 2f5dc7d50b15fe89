/** The life of one cluster's layer, from the first connect to the last: open or create, live and stale, stop and save. */
import type { KVBase } from '@timetick/kv'
import { layerId, normaliseAddress } from './address.ts'
import { Checkpoint } from './checkpoint.ts'
import { RefreshJob } from './job.ts'
import { Layer } from './layer.ts'
import type { Clock, SourceState } from './model.ts'
import type { RingOptions } from './ring.ts'
import type { InsightSource, Sink } from '../source/source.ts'

/** Every other move is a defect. */
const MOVES: Readonly<Record<SourceState | 'absent', readonly SourceState[]>> = {
  absent: ['opening'],
  opening: ['connecting', 'stopping'],
  connecting: ['live', 'stale', 'stopping'],
  live: ['stale', 'stopping'],
  stale: ['live', 'connecting', 'stopping'],
  stopping: ['stopped'],
  stopped: ['opening'],
}

/** So often at most is it told that rows were saved. */
const NOTE_MS = 60_000

export interface ClusterOptions {
  /** How users name it. */
  readonly id: string
  readonly address: string
  /** What its layer is kept under, where the address may be another one next time. Default: the address. */
  readonly layer?: string | undefined
  readonly source: () => InsightSource
  readonly kv: KVBase
  readonly clock: Clock
  readonly random: () => number
  readonly newEpoch: () => string
  readonly ring?: RingOptions | undefined
  /** Never stopped for want of readers. */
  readonly isPinned?: boolean | undefined
  /** From the last reader's leave to the stop. */
  readonly lingerMs?: number | undefined
  readonly flushMs?: number | undefined
  readonly onWarning?: ((message: string, error: unknown) => void) | undefined
}

export interface ClusterStatus {
  readonly id: string
  readonly address: string
  readonly state: SourceState | 'absent'
  readonly epoch: string | null
  readonly seq: number
  /** When the source was last heard, ms since 1970; null: never since it was opened. */
  readonly asOf: number | null
  readonly error: string | null
}

export class Cluster {
  readonly id: string
  readonly address: string
  readonly #options: ClusterOptions
  readonly #layerId: string
  readonly #checkpoint: Checkpoint
  #state: SourceState | 'absent' = 'absent'
  #layer: Layer | undefined
  #source: InsightSource | undefined
  #job: RefreshJob | undefined
  #opening: Promise<Layer> | undefined
  #stopping: Promise<void> | undefined
  #fingerprint: string | undefined
  #asOf: number | null = null
  #error: string | null = null
  #readers = 0
  #cancelLinger: (() => void) | undefined
  #cancelFlush: (() => void) | undefined
  #flushing: Promise<void> = Promise.resolve()
  #savedRows = 0
  #notedAt = -Infinity

  constructor(options: ClusterOptions) {
    this.id = options.id
    this.address = normaliseAddress(options.address)
    this.#options = options
    this.#layerId = layerId(options.layer ?? this.address)
    this.#checkpoint = new Checkpoint(options.kv, this.#layerId)
  }

  status(): ClusterStatus {
    return { id: this.id, address: this.address, state: this.#state, epoch: this.#layer?.epoch ?? null, seq: this.#layer?.seq ?? 0, asOf: this.#asOf, error: this.#error }
  }

  get layer(): Layer | undefined {
    return this.#layer
  }

  get source(): InsightSource | undefined {
    return this.#source
  }

  get isStale(): boolean {
    return this.#state !== 'live'
  }

  /** Opens the layer, or creates it, and starts the job. Its stored rows can be read when this resolves; the source may need longer. */
  async connect(): Promise<Layer> {
    if (this.#stopping !== undefined) await this.#stopping
    if (this.#layer !== undefined && this.#state !== 'stopped') return this.#layer
    this.#opening ??= this.#open().finally(() => {
      this.#opening = undefined
    })
    return this.#opening
  }

  /** A reader comes. The result is called when it goes; the last one's going stops the layer after a while. */
  async retain(): Promise<() => void> {
    this.#readers++
    this.#cancelLinger?.()
    this.#cancelLinger = undefined
    let isGone = false
    const leave = (): void => {
      if (isGone) return
      isGone = true
      this.#readers--
      if (this.#readers > 0 || this.#options.isPinned === true) return
      this.#cancelLinger?.()
      this.#cancelLinger = this.#options.clock.setTimer(() => void this.disconnect(), this.#options.lingerMs ?? 30_000)
    }
    try {
      await this.connect()
      return leave
    } catch (error) {
      leave()
      throw error
    }
  }

  /** Asks the source now. */
  async refresh(): Promise<void> {
    await this.#job?.poke()
  }

  /** Stops the job, waits for its round, saves everything, ends the connection: in this order. The rows stay on disk. */
  async disconnect(): Promise<void> {
    if (this.#opening !== undefined) await this.#opening.catch(() => undefined)
    if (this.#layer === undefined) return
    this.#stopping ??= this.#stop(this.#layer).finally(() => {
      this.#stopping = undefined
    })
    return this.#stopping
  }

  /** Forgets what is on disk too. */
  async purge(): Promise<void> {
    await this.disconnect()
    await this.#checkpoint.remove()
  }

  async #open(): Promise<Layer> {
    this.#cancelLinger?.()
    this.#move('opening')
    try {
      const stored = await this.#checkpoint.open()
      const { clock, ring } = this.#options
      const source = this.#options.source()
      const layer = new Layer({
        clock,
        ring,
        epoch: stored?.isClean === true ? stored.epoch : this.#options.newEpoch(),
        seq: stored?.isClean === true ? stored.seq : 0,
        entities: stored?.entities,
        tail: stored?.tail,
        missesToDrop: source.origin === 'poll' ? 2 : 1,
      })
      this.#layer = layer
      this.#source = source
      this.#fingerprint = stored?.fingerprint
      this.#asOf = stored?.savedAt ?? null
      layer.note('cache', stored === undefined ? 'cache.created' : 'cache.opened', { layer: this.#layerId, epoch: layer.epoch, rows: stored?.entities.length ?? 0 })
      this.#move('connecting')
      this.#startJob(layer, source)
      this.#flushLater(layer)
      return layer
    } catch (error) {
      this.#state = 'absent'
      this.#layer = undefined
      throw error
    }
  }

  #startJob(layer: Layer, source: InsightSource): void {
    let isStarted = false
    const sink = sinkOf(layer, source.origin, this.#options.clock)
    this.#job = new RefreshJob({
      clock: this.#options.clock,
      random: this.#options.random,
      intervalMs: source.intervalMs,
      run: async (signal) => {
        if (!isStarted) {
          const { fingerprint } = await source.start(sink, signal)
          isStarted = true
          this.#identify(layer, fingerprint)
        }
        await source.refresh(signal)
      },
      onSuccess: () => {
        this.#asOf = this.#options.clock.now()
        this.#move('live')
      },
      onFailure: (error) => this.#move('stale', error),
    })
    void this.#job.poke()
  }

  /** Another cluster at the same address: what is known belongs to the one before. */
  #identify(layer: Layer, fingerprint: string | undefined): void {
    if (fingerprint !== undefined && this.#fingerprint !== undefined && fingerprint !== this.#fingerprint) {
      layer.clear('push')
      layer.note('cache', 'cache.reset', { reason: 'another cluster answers at this address' })
    }
    this.#fingerprint = fingerprint ?? this.#fingerprint
  }

  async #stop(layer: Layer): Promise<void> {
    this.#cancelLinger?.()
    this.#move('stopping')
    await this.#job?.stop()
    this.#job = undefined
    this.#cancelFlush?.()
    await this.#flushing
    this.#move('stopped')
    try {
      await this.#checkpoint.finish(layer, this.#options.clock.now(), this.#fingerprint)
    } catch (error) {
      this.#options.onWarning?.(`the cache of ${this.id} could not be saved`, error)
    }
    layer.close()
    await this.#source?.stop()
    this.#source = undefined
    this.#layer = undefined
  }

  #flushLater(layer: Layer): void {
    this.#cancelFlush = this.#options.clock.setTimer(() => {
      this.#flushing = this.#checkpoint
        .flush(layer, this.#options.clock.now(), this.#fingerprint)
        .then((rows) => this.#noteFlush(layer, rows))
        .catch((error: unknown) => this.#options.onWarning?.(`the cache of ${this.id} could not be saved`, error))
        .finally(() => {
          if (this.#state !== 'stopping' && this.#state !== 'stopped') this.#flushLater(layer)
        })
    }, this.#options.flushMs ?? 1000)
  }

  /** Not of every flush: each would be an event a second. */
  #noteFlush(layer: Layer, rows: number): void {
    const now = this.#options.clock.now()
    this.#savedRows += rows
    if (this.#savedRows === 0 || now - this.#notedAt < NOTE_MS || this.#layer !== layer) return
    layer.note('cache', 'cache.checkpointed', { layer: this.#layerId, epoch: layer.epoch, rows: this.#savedRows })
    this.#notedAt = now
    this.#savedRows = 0
  }

  #move(to: SourceState, error?: unknown): void {
    const from = this.#state
    const reason = error === undefined ? null : error instanceof Error ? error.message : String(error)
    this.#error = reason
    if (from === to) return
    if (!MOVES[from].includes(to)) throw new Error(`a layer cannot go from ${from} to ${to}`)
    this.#state = to
    this.#layer?.note('source', 'source.state', { from, to, ...(reason === null ? {} : { error: reason }), ...(this.#asOf === null ? {} : { lastOkTs: this.#asOf }) })
  }
}

function sinkOf(layer: Layer, origin: 'push' | 'poll', clock: Clock): Sink {
  return {
    upsert: (kind, key, row) => layer.upsert(kind, key, row, origin),
    drop: (kind, key) => layer.drop(kind, key, origin),
    full: (kind, scope, keys) => layer.full(kind, scope, keys, origin),
    gauge: (key, value) => layer.gauges.put(key, value, clock.now()),
  }
}
