/** Who is served by which consumer: the common one, or for a while one of its own. */
import { checkObject, enumOption, show, throwIfAborted } from '../check.ts'
import type { Clock } from '../clock.ts'
import type { DispatcherStates, MsgDispatcher, RegisterOptions, VirtualChannel } from '../dispatcher.ts'
import { MsgStreamError } from '../errors.ts'
import type { MsgPosition, TsMsg } from '../message.ts'
import type { Mq } from '../mq.ts'
import { openTtMsgStream } from '../open.ts'
import { checkPosition } from '../position.ts'
import { Signal } from '../signal.ts'
import type { ConsumerOptions, TtMsgStream } from '../stream.ts'
import type { UnmarshalDispatcher } from '../unmarshal.ts'
import { Lane } from './lane.ts'
import { Target } from './target.ts'

export interface DispatcherConfig {
  readonly mq: Mq
  readonly channel: string
  readonly vchannelOf: (msg: TsMsg) => string | undefined
  readonly dispatcher: UnmarshalDispatcher | undefined
  readonly clock: Clock
  readonly maxQueuedPacks: number
  readonly maxLagMs: number
  readonly maxConsumers: number
}

export class Dispatcher implements MsgDispatcher {
  readonly #config: DispatcherConfig
  readonly #targets = new Map<string, Target>()
  readonly #lanes = new Set<Lane>()
  readonly #freed = new Signal()
  #main: Lane | undefined
  #opening = 0
  #closed: Promise<void> | undefined

  constructor(config: DispatcherConfig) {
    this.#config = config
  }

  async register(options: RegisterOptions): Promise<VirtualChannel> {
    checkObject(options, 'options')
    const { vchannel, position, signal } = options
    if (typeof vchannel !== 'string' || vchannel === '') throw new TypeError(`expected \`vchannel\` to be a name, got ${show(vchannel)}`)
    const from = enumOption(options.from, 'from', 'latest', ['earliest', 'latest'])
    if (position !== undefined) this.#checkPosition(position)
    throwIfAborted(options)
    this.#open()
    if (this.#targets.has(vchannel)) throw new TypeError(`expected \`vchannel\` to be registered once, ${show(vchannel)} was before`)
    const target = new Target(vchannel, position?.timestamp ?? 0n, this.#config.maxQueuedPacks, (it) => this.#remove(it))
    this.#targets.set(vchannel, target)
    try {
      await this.#serve(target, { from, positions: position === undefined ? undefined : [position], signal })
      return target
    } catch (error) {
      this.#targets.delete(vchannel)
      target.end()
      throw error
    }
  }

  #checkPosition(position: MsgPosition): void {
    checkPosition(position, 'position')
    if (position.channel !== this.#config.channel) throw new TypeError(`expected \`position\` to be of channel ${this.#config.channel}, got ${show(position.channel)}`)
  }

  /** A consumer of its own; it is given up when it has caught up with the common one. */
  async #serve(target: Target, options: ConsumerOptions): Promise<void> {
    const { mq, channel, clock, dispatcher, maxLagMs, maxConsumers, vchannelOf } = this.#config
    while (this.#lanes.size + this.#opening >= maxConsumers) {
      await this.#freed.wait(options.signal)
      this.#open()
    }
    this.#opening++
    let stream: TtMsgStream | undefined
    try {
      stream = await openTtMsgStream({ mq, clock, dispatcher, maxBufferedBytes: 16 << 20 })
      await stream.asConsumer([channel], options)
      this.#open()
    } catch (error) {
      await stream?.close()
      this.#freed.notify()
      throw error
    } finally {
      this.#opening--
    }
    const lane = new Lane({
      stream, clock, maxLagMs, vchannelOf,
      onPack: (it) => this.#merge(it),
      onLagging: (it, { startPositions }) => this.#split(it, startPositions),
      onEnd: (it) => this.#ended(it),
    })
    // It may have been closed while its consumer was opened.
    if (target.ended) {
      await stream.close()
      this.#freed.notify()
      return
    }
    lane.add(target)
    this.#lanes.add(lane)
    this.#main ??= lane
    lane.start()
  }

  #split(target: Target, positions: readonly MsgPosition[]): void {
    this.#serve(target, { positions }).catch((error: unknown) => {
      this.#targets.delete(target.vchannel)
      target.end({ error })
    })
  }

  /**
   * The consumer that is furthest is the common one. Another that has come exactly as far gives its virtual channels over to it.
   * Before the first tick nobody knows where they stand (Milvus #34562).
   */
  #merge(lane: Lane): void {
    const main = this.#main
    if (main === undefined || main === lane || lane.frontier < main.frontier) return
    if (lane.frontier > main.frontier) {
      this.#main = lane
      return
    }
    if (main.frontier === 0n) return
    for (const target of lane.targets) main.add(target)
    lane.targets.clear()
    void this.#drop(lane)
  }

  #ended(lane: Lane): void {
    this.#lanes.delete(lane)
    if (this.#main === lane) this.#main = this.#furthest()
    for (const target of lane.targets) this.#targets.delete(target.vchannel)
    this.#freed.notify()
  }

  #furthest(): Lane | undefined {
    let best: Lane | undefined
    for (const lane of this.#lanes) if (best === undefined || lane.frontier > best.frontier) best = lane
    return best
  }

  async #drop(lane: Lane): Promise<void> {
    this.#lanes.delete(lane)
    if (this.#main === lane) this.#main = this.#furthest()
    this.#freed.notify()
    await lane.stop()
  }

  async #remove(target: Target): Promise<void> {
    if (this.#targets.get(target.vchannel) === target) this.#targets.delete(target.vchannel)
    target.end()
    const lane = [...this.#lanes].find((it) => it.targets.has(target))
    lane?.remove(target)
    if (lane !== undefined && lane.targets.size === 0) await this.#drop(lane)
  }

  async deregister(vchannel: string): Promise<void> {
    await this.#targets.get(vchannel)?.close()
  }

  states(): DispatcherStates {
    const channels = [...this.#targets.values()].map((target) => {
      const { vchannel, frontier, queuedPacks } = target
      return { vchannel, isSplit: this.#main?.targets.has(target) !== true, frontier, queuedPacks }
    })
    return { consumers: this.#lanes.size, channels }
  }

  close(): Promise<void> {
    this.#closed ??= this.#close()
    return this.#closed
  }

  async #close(): Promise<void> {
    this.#freed.notify()
    for (const target of this.#targets.values()) target.end()
    this.#targets.clear()
    await Promise.allSettled([...this.#lanes].map((lane) => lane.stop()))
    this.#lanes.clear()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #open(): void {
    if (this.#closed !== undefined) throw new MsgStreamError('MSG_CLOSED', 'the dispatcher is closed')
  }
}
