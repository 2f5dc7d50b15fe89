/** Brokers that are killed and started again at random, under load. */
import { describe, expect, it } from 'vitest'
import { isMsgStreamError, type MessageId, type Mq, type MqProducer } from '../src/index.ts'
import { openKafkaMq, type KafkaDriverName } from '../src/kafka.ts'
import { openPulsarMq } from '../src/pulsar.ts'
import { openRedisMq } from '../src/redis.ts'
import { seeded } from './faulty-fs.ts'
import { inRing } from './ring.ts'
import { now, pause, startBroker, type Broker } from './services.edge.ts'

const seed = 4711
const stormMs = inRing(0, 20_000, 120_000)
const channels = ['a', 'b']

/** What one writer knows of its frames. Those of unknown outcome are not sent again. */
interface Written {
  readonly acked: string[]
  readonly unknown: Set<string>
}

async function opened<T>(open: () => Promise<T>, isOver: () => boolean): Promise<T> {
  for (;;) {
    try {
      return await open()
    } catch (error) {
      if (isOver() || !isMsgStreamError(error) || !error.retryable) throw error
      await pause(100)
    }
  }
}

async function write(mq: Mq, channel: string, isOver: () => boolean, written: Written): Promise<void> {
  let next = 0
  while (!isOver()) {
    const producer = await opened(() => mq.openProducer(channel), () => false)
    await writeOn(producer, isOver, written, () => next++)
    await producer.close()
  }
}

/** Several sends under way, until one fails. */
async function writeOn(producer: MqProducer, isOver: () => boolean, written: Written, next: () => number): Promise<void> {
  let failed = false
  const pending = new Set<Promise<void>>()
  while (!isOver() && !failed) {
    const names = Array.from({ length: 20 }, () => `${producer.channel}${next()}`)
    const sending = producer.send(names.map((name) => Buffer.from(name.padEnd(200, '.')))).then(
      (ids: readonly MessageId[]) => {
        expect(ids.length).toBe(names.length)
        written.acked.push(...names)
      },
      (error: unknown) => {
        failed = true
        expect(isMsgStreamError(error), `a typed error: ${String(error)}`).toBe(true)
        if (!isMsgStreamError(error) || error.outcome !== 'not-applied') for (const name of names) written.unknown.add(name)
      },
    ).finally(() => pending.delete(sending))
    pending.add(sending)
    if (pending.size >= 8) await Promise.race(pending)
    await pause(1)
  }
  await Promise.all(pending)
}

async function readAll(mq: Mq, channel: string, isDone: (got: readonly string[]) => boolean): Promise<string[]> {
  const reader = await opened(() => mq.openReader(channel, { at: 'earliest' }), () => false)
  const got: string[] = []
  while (!isDone(got)) {
    const batch = await reader.read()
    for (const frame of batch?.frames ?? []) got.push(Buffer.from(frame).toString().replace(/\.+$/, ''))
  }
  await reader.close()
  return got
}

async function storm(broker: Broker, open: () => Promise<Mq>): Promise<{ kills: number; frames: number }> {
  const random = seeded(seed)
  const mq = await open()
  for (const channel of channels) await mq.createChannel(channel)
  const end = now() + stormMs
  const isOver = (): boolean => now() > end
  const written = channels.map((): Written => ({ acked: [], unknown: new Set() }))
  let writing = true
  const writers = Promise.all(channels.map((channel, i) => write(mq, channel, isOver, written[i] as Written))).finally(() => (writing = false))
  // The last frame is written when all is over, so that readers know their end.
  const readers = channels.map((channel) => readAll(mq, channel, (got) => got.at(-1) === 'end'))
  let kills = 0
  while (writing && !isOver()) {
    await pause(1000 + random() * 3000)
    if (isOver()) break
    await broker.kill()
    await pause(random() * 500)
    await broker.restart()
    kills++
  }
  await writers
  for (const channel of channels) {
    const producer = await opened(() => mq.openProducer(channel), () => false)
    await producer.send([Buffer.from('end')])
    await producer.close()
  }
  const logs = await Promise.all(readers)
  await mq.close()
  for (const [i, got] of logs.entries()) {
    const { acked, unknown } = written[i] as Written
    expect(new Set(got).size, `seed ${seed}: nothing twice`).toBe(got.length)
    const known = new Set(acked)
    expect(got.filter((name) => known.has(name)), `seed ${seed}: all that was acknowledged, in order`).toEqual(acked)
    expect(got.filter((name) => name !== 'end' && !known.has(name) && !unknown.has(name)), `seed ${seed}: nothing that was refused`).toEqual([])
  }
  return { kills, frames: written.reduce((sum, { acked }) => sum + acked.length, 0) }
}

const openKafka = (driver: KafkaDriverName) => ({ url }: Broker) => openKafkaMq({ brokers: [url], driver, prefix: 'storm-', maxWaitMs: 50, timeoutMs: 10_000 })

const brokers: Record<string, { readonly service?: string; readonly options: object; readonly open: (broker: Broker) => Promise<Mq>; readonly prepare?: (broker: Broker) => Promise<void> }> = {
  redis: { options: { appendonly: 'always' }, open: ({ url }) => openRedisMq({ url, prefix: 'storm:', blockMs: 200, timeoutMs: 3000 }) },
  kafka: { options: {}, open: openKafka('kafkajs') },
  'kafka through @platformatic/kafka': { service: 'kafka', options: {}, open: openKafka('@platformatic/kafka') },
  pulsar: {
    options: {},
    async prepare({ env }) {
      const url = `${env['TIMETICK_PULSAR_WEB_URL']}/admin/v2/namespaces/public/default/retention`
      const body = JSON.stringify({ retentionTimeInMinutes: -1, retentionSizeInMB: -1 })
      const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body })
      if (!response.ok) throw new Error(`${response.status} ${await response.text()}`)
    },
    open: ({ env }) => openPulsarMq({ url: env['TIMETICK_PULSAR_WEB_URL'] ?? '', prefix: 'storm-', timeoutMs: 5000 }),
  },
}

describe.skipIf(stormMs === 0)('a broker that is killed again and again', () => {
  it.each(Object.entries(brokers))('%s: nothing acknowledged is lost, nothing is there twice, the order holds', async (name, { service = name, options, open, prepare }) => {
    const broker = await startBroker(service, options)
    if (broker === undefined) return
    try {
      await prepare?.(broker)
      const { kills, frames } = await storm(broker, () => open(broker))
      expect(kills).toBeGreaterThan(0)
      expect(frames).toBeGreaterThan(0)
      console.info(`${name}: ${kills} kills, ${frames} acknowledged frames`)
    } finally {
      await broker.stop()
    }
  }, stormMs + 180_000)
})
