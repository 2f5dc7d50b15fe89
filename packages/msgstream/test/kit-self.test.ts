/** The kit must be able to fail: each of these queues breaks one promise, and each must be caught. */
import { describe, expect, it } from 'vitest'
import { MsgStreamError, type MessageId, type Mq, type MqProducer, type MqReader, type StartPosition } from '../src/index.ts'
import { createMemoryMq } from '../src/memory.ts'
import { testMq, testMsgStream, type KitRunner } from '../src/testing.ts'

type Wrap = (mq: Mq) => Partial<Mq>

function broken(wrap: Wrap): Mq {
  const mq = createMemoryMq()
  const methods: Mq = {
    features: mq.features,
    createChannel: (channel, options) => mq.createChannel(channel, options),
    deleteChannel: (channel, options) => mq.deleteChannel(channel, options),
    listChannels: (options) => mq.listChannels(options),
    openProducer: (channel, options) => mq.openProducer(channel, options),
    openReader: (channel, start, options) => mq.openReader(channel, start, options),
    bounds: (channel, options) => mq.bounds(channel, options),
    truncate: (channel, before, options) => mq.truncate(channel, before, options),
    ...(mq.openBroadcaster === undefined ? {} : { openBroadcaster: mq.openBroadcaster.bind(mq) }),
    close: () => mq.close(),
    [Symbol.asyncDispose]: () => mq.close(),
  }
  return { ...methods, ...wrap(mq) }
}

const producer = (change: (it: MqProducer) => Partial<MqProducer>): Wrap => (mq) => ({
  openProducer: async (channel, options) => {
    const it = await mq.openProducer(channel, options)
    const whole: MqProducer = { channel, send: (frames, o) => it.send(frames, o), sendTransient: (frame) => it.sendTransient(frame), close: () => it.close(), [Symbol.asyncDispose]: () => it.close() }
    return { ...whole, ...change(it) }
  },
})

const reader = (change: (it: MqReader, mq: Mq) => Partial<MqReader>, begin: (start: StartPosition) => StartPosition = (start) => start): Wrap => (mq) => ({
  openReader: async (channel, start, options) => {
    const it = await mq.openReader(channel, begin(start), options)
    const whole: MqReader = { channel, read: (o) => it.read(o), seek: (position) => it.seek(position), close: () => it.close(), [Symbol.asyncDispose]: () => it.close() }
    return { ...whole, ...change(it, mq) }
  },
})

/** A broadcast that is a send per channel. */
const loop = (mq: Mq, channels: readonly string[], change: (producers: MqProducer[]) => MqProducer[]): NonNullable<Mq['openBroadcaster']> => async () => {
  const producers = await Promise.all(channels.map((channel) => mq.openProducer(channel)))
  const close = async (): Promise<void> => void (await Promise.all(producers.map((it) => it.close())))
  return {
    channels, close, [Symbol.asyncDispose]: close,
    send: async (frames, options) => {
      const ids: MessageId[][] = []
      for (const it of change(producers)) ids.push(await it.send(frames, options))
      return ids
    },
  }
}

const littleEndian = (id: MessageId): MessageId => ({ backend: id.backend, bytes: Uint8Array.from(id.bytes).reverse() })
const microtasks = async (count: number): Promise<void> => {
  for (let i = 0; i < count; i++) await Promise.resolve()
}

let flip = 0
const queues: Record<string, Wrap> = {
  'reorders sends that were not awaited': producer((it) => ({
    send: async (frames, options) => {
      if (++flip % 3 === 0) await microtasks(20)
      return it.send(frames, options)
    },
  })),
  'tears the frames of one send apart': producer((it) => ({
    send: async (frames, options) => {
      const ids: MessageId[] = []
      for (const frame of frames) ids.push(...(await it.send([frame], options)))
      return ids
    },
  })),
  'drops every fiftieth frame': reader((it) => ({
    read: async (options) => {
      const batch = await it.read(options)
      if (batch === undefined || batch.frames.length < 50) return batch
      return { ids: batch.ids.filter((_, i) => i !== 49), frames: batch.frames.filter((_, i) => i !== 49) }
    },
  })),
  'delivers a frame twice': reader((it) => ({
    read: async (options) => {
      const batch = await it.read(options)
      const [id, frame] = [batch?.ids.at(-1), batch?.frames.at(-1)]
      if (batch === undefined || id === undefined || frame === undefined || batch.frames.length < 100) return batch
      return { ids: [...batch.ids, id], frames: [...batch.frames, frame] }
    },
  })),
  'keeps the caller\'s buffer': producer((it) => ({
    send: async (frames, options) => {
      await Promise.resolve()
      return it.send(frames, options)
    },
  })),
  'ids in little-endian': (mq) => ({
    ...producer((it) => ({ send: async (frames, options) => (await it.send(frames, options)).map(littleEndian) }))(mq),
    ...reader((it) => ({ read: async (options) => {
      const batch = await it.read(options)
      return batch === undefined ? undefined : { ids: batch.ids.map(littleEndian), frames: batch.frames }
    } }), (start) => ('from' in start ? { from: littleEndian(start.from) } : 'after' in start ? { after: littleEndian(start.after) } : start))(mq),
  }),
  '`after` includes the frame': reader(() => ({}), (start) => ('after' in start ? { from: start.after } : start)),
  '`from` excludes the frame': reader(() => ({}), (start) => ('from' in start ? { after: start.from } : start)),
  '`latest` is resolved at the first read': (mq) => ({
    openReader: async (channel, start, options) => {
      const it = await mq.openReader(channel, start, options)
      let first = 'at' in start && start.at === 'latest'
      return { channel, seek: (p) => it.seek(p), close: () => it.close(), [Symbol.asyncDispose]: () => it.close(), read: async (o) => {
        if (first) await it.seek({ at: 'latest' })
        first = false
        return it.read(o)
      } }
    },
  }),
  'loses a wake-up': reader((it, mq) => ({
    read: async (options) => {
      const { last } = await mq.bounds(it.channel).catch(() => ({ last: undefined }))
      if (last === undefined) return new Promise(() => {})
      return it.read(options)
    },
  })),
  'broadcasts to all channels but one': (mq) => ({ openBroadcaster: (channels) => loop(mq, channels, (it) => it.slice(0, -1))(channels) }),
  'broadcasts one channel after the other and sees the caller change the frames': (mq) => ({ openBroadcaster: (channels) => loop(mq, channels, (it) => it)(channels) }),
  'says that it broadcasts as one step and does not': () => ({ openBroadcaster: async () => { throw new MsgStreamError('MSG_UNSUPPORTED', 'no') } }),
  'ignores seek': reader(() => ({ seek: async () => {} })),
  'ignores maxMessages': reader((it) => ({ read: (options) => it.read({ signal: options?.signal }) })),
  'close leaves a read waiting': reader(() => ({ close: async () => {} })),
  'stores transient frames': producer((it) => ({ sendTransient: (frame) => void it.send([frame]).catch(() => {}) })),
  'loses transient frames': producer(() => ({ sendTransient: () => {} })),
  'says transient and refuses it': producer(() => ({ sendTransient: () => { throw new MsgStreamError('MSG_UNSUPPORTED', 'no') } })),
  'skips silently what retention took': reader((it) => ({
    read: async (options) => {
      try {
        return await it.read(options)
      } catch {
        await it.seek({ at: 'earliest' })
        return it.read(options)
      }
    },
  })),
  'makes a channel by reading it': (mq) => ({ openReader: async (channel, start, options) => (await mq.createChannel(channel), mq.openReader(channel, start, options)) }),
  'deleteChannel does nothing': () => ({ deleteChannel: async () => {} }),
  'truncates what it should keep': (mq) => ({
    truncate: async (channel) => {
      const { last } = await mq.bounds(channel)
      if (last !== undefined) await mq.truncate(channel, last)
    },
  }),
  'wraps the reason of an abort': producer((it) => ({ send: async (frames, options) => {
    if (options?.signal?.aborted === true) throw new Error('aborted', { cause: options.signal.reason })
    return it.send(frames, options)
  } })),
  'writes although aborted': producer((it) => ({ send: (frames) => it.send(frames) })),
}

interface Case {
  readonly name: string
  readonly body: () => Promise<void>
}

function collect(create: () => Mq, timeoutMs: number): Case[] {
  const cases: Case[] = []
  const runner: KitRunner = { describe: (_, body) => body(), it: (name, body) => cases.push({ name, body }) }
  testMq('x', { runner, create, timeoutMs })
  testMsgStream('x', { runner, create, timeoutMs })
  return cases
}

/** A sound queue has all the time it wants; a broken one may hang. */
async function failures(create: () => Mq, timeoutMs = 10_000): Promise<string[]> {
  const results = await Promise.all(collect(create, timeoutMs).map(async ({ name, body }) => body().then(() => undefined, () => name)))
  return results.filter((name) => name !== undefined)
}

describe('the kit', () => {
  it('passes a sound queue', async () => {
    expect(collect(() => createMemoryMq(), 1).length).toBeGreaterThan(45)
    expect(await failures(() => createMemoryMq())).toEqual([])
    expect(await failures(() => broken(() => ({})))).toEqual([])
  })

  it.each(Object.entries(queues))('catches a queue that %s', async (_, wrap) => {
    expect(await failures(() => broken(wrap), 100)).not.toEqual([])
  })
})
