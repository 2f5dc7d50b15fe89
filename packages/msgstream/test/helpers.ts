import type { Clock, MessageId, Mq, MqProducer } from '../src/index.ts'

/** A clock that moves when told to. */
export class ManualClock implements Clock {
  #now = 0
  #timers: { at: number; callback: () => void }[] = []

  now(): number {
    return this.#now
  }

  monotonic(): number {
    return this.#now
  }

  setTimer(callback: () => void, delayMs: number): () => void {
    const timer = { at: this.#now + delayMs, callback }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter((it) => it !== timer)
    }
  }

  get timers(): number {
    return this.#timers.length
  }

  advance(ms: number): void {
    this.#now += ms
    const due = this.#timers.filter(({ at }) => at <= this.#now)
    this.#timers = this.#timers.filter(({ at }) => at > this.#now)
    for (const { callback } of due) callback()
  }
}

/** All microtasks that are due. */
export const flush = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

export interface DelayedMq extends Mq {
  /** Sends that wait for {@link release}. */
  held(): number
  /** Their frames, per channel. */
  heldFrames(channel: string): readonly Uint8Array[]
  /** Let the oldest send of one channel (chosen by the number) become durable. */
  release(choice: number): void
  failNext(error: unknown): void
  /** Hold nothing back any more. */
  open(): void
}

interface Held {
  readonly frames: readonly Uint8Array[]
  run(): void
  fail(error: unknown): void
}

/** A queue whose sends become durable when the test says so, in order per channel; transient frames wait behind them. */
export function delayedMq(mq: Mq, transient: boolean): DelayedMq {
  const queues = new Map<string, Held[]>()
  let isOpen = false
  const queueOf = (channel: string): Held[] => {
    let queue = queues.get(channel)
    if (queue === undefined) queues.set(channel, (queue = []))
    return queue
  }
  const drainTransients = (queue: Held[]): void => {
    while (queue[0] instanceof TransientHeld) queue.shift()?.run()
  }
  const waiting = (): Held[][] => [...queues.values()].filter((queue) => queue.length > 0)
  const wrap = (producer: MqProducer): MqProducer => ({
    channel: producer.channel,
    send: (frames, options) =>
      new Promise<MessageId[]>((resolve, reject) => {
        const held: Held = { frames, run: () => void producer.send(frames, options).then(resolve, reject), fail: reject }
        if (isOpen) held.run()
        else queueOf(producer.channel).push(held)
      }),
    sendTransient: (frame) => {
      queueOf(producer.channel).push(new TransientHeld(() => producer.sendTransient(frame)))
      drainTransients(queueOf(producer.channel))
    },
    close: () => producer.close(),
    [Symbol.asyncDispose]: () => producer.close(),
  })
  const release = (choice: number): void => {
    const queue = waiting()[choice % Math.max(1, waiting().length)]
    queue?.shift()?.run()
    if (queue !== undefined) drainTransients(queue)
  }
  return {
    features: { ...mq.features, transient },
    createChannel: (channel, options) => mq.createChannel(channel, options),
    deleteChannel: (channel, options) => mq.deleteChannel(channel, options),
    listChannels: (options) => mq.listChannels(options),
    openProducer: async (channel, options) => wrap(await mq.openProducer(channel, options)),
    openReader: (channel, start, options) => mq.openReader(channel, start, options),
    bounds: (channel, options) => mq.bounds(channel, options),
    truncate: (channel, before, options) => mq.truncate(channel, before, options),
    close: () => mq.close(),
    [Symbol.asyncDispose]: () => mq.close(),
    held: () => [...queues.values()].reduce((sum, queue) => sum + queue.length, 0),
    heldFrames: (channel) => queueOf(channel).flatMap(({ frames }) => frames),
    release,
    failNext: (error) => waiting()[0]?.shift()?.fail(error),
    open: () => {
      isOpen = true
      while (waiting().length > 0) release(0)
    },
  }
}

class TransientHeld implements Held {
  readonly run: () => void
  readonly frames = []
  constructor(run: () => void) {
    this.run = run
  }
  fail(): void {}
}
