/** One physical consumer and the virtual channels that it serves. */
import type { Clock } from '../clock.ts'
import type { MsgPack, Timestamp, TsMsg } from '../message.ts'
import { Signal } from '../signal.ts'
import type { TtMsgStream } from '../stream.ts'
import type { Target } from './target.ts'

export interface LaneOptions {
  readonly stream: TtMsgStream
  readonly clock: Clock
  readonly maxLagMs: number
  readonly vchannelOf: (msg: TsMsg) => string | undefined
  /** Behind each pack, synchronously: this lane's targets may be moved now. */
  readonly onPack: (lane: Lane) => void
  /** A target takes nothing; serve it from the pack's start by somebody else. It has been taken out of the lane. */
  readonly onLagging: (target: Target, pack: MsgPack) => void
  readonly onEnd: (lane: Lane) => void
}

export class Lane {
  readonly targets = new Set<Target>()
  readonly #options: LaneOptions
  readonly #changed = new Signal()
  /** Everything at or below was given to all targets, or is being given now. */
  frontier: Timestamp = 0n
  #isStopped = false
  #running: Promise<void> | undefined

  constructor(options: LaneOptions) {
    this.#options = options
  }

  start(): void {
    this.#running ??= this.#run()
  }

  add(target: Target): void {
    this.targets.add(target)
    this.#changed.notify()
  }

  remove(target: Target): void {
    this.targets.delete(target)
    this.#changed.notify()
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    this.#changed.notify()
    await this.#options.stream.close()
    await this.#running
  }

  async #run(): Promise<void> {
    const { stream, onPack, onEnd } = this.#options
    let failure: { readonly error: unknown } | undefined
    try {
      for await (const pack of stream) {
        this.frontier = pack.endTs
        await this.#distribute(pack)
        if (this.#isStopped) break
        onPack(this)
        if (this.#isStopped) break
      }
    } catch (error) {
      failure = { error }
    }
    if (!this.#isStopped) for (const target of this.targets) target.end(failure)
    onEnd(this)
  }

  async #distribute(pack: MsgPack): Promise<void> {
    const full: Target[] = []
    for (const target of this.targets) {
      if (target.isFull) full.push(target)
      else this.#put(target, pack)
    }
    if (full.length === 0) return
    const deadline = this.#options.clock.monotonic() + this.#options.maxLagMs
    for (const target of full) await this.#wait(target, pack, deadline)
  }

  #put(target: Target, pack: MsgPack): void {
    const { vchannelOf } = this.#options
    target.put(pack, (msg) => {
      const vchannel = vchannelOf(msg)
      return vchannel === undefined || vchannel === target.vchannel
    })
  }

  /** Alone, a slow one just holds its own consumer up. */
  async #wait(target: Target, pack: MsgPack, deadline: number): Promise<void> {
    const { clock, onLagging } = this.#options
    while (target.isFull && this.targets.has(target) && !this.#isStopped) {
      const left = deadline - clock.monotonic()
      if (this.targets.size > 1 && left <= 0) {
        this.targets.delete(target)
        onLagging(target, pack)
        return
      }
      await this.#change(target, this.targets.size > 1 ? left : undefined)
    }
    if (this.targets.has(target)) this.#put(target, pack)
  }

  async #change(target: Target, timeoutMs: number | undefined): Promise<void> {
    const done = new AbortController()
    const cancel = timeoutMs === undefined ? undefined : this.#options.clock.setTimer(() => done.abort(), timeoutMs)
    const quiet = (): void => {}
    await Promise.race([target.drained.wait(done.signal).catch(quiet), this.#changed.wait(done.signal).catch(quiet)])
    cancel?.()
    done.abort()
  }
}
