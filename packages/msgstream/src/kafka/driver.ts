/** Which package speaks to the brokers. Both do the same here: what one can, the other can. */
import { MsgStreamError } from '../errors.ts'
import type { Feed, Pull } from '../remote/reader.ts'
import type { KafkaAdmin, KafkaProducer, KafkaProducerOptions } from './client.ts'
import type { KafkaConnection } from './connection.ts'
import { loadKafkajs } from './kafkajs.ts'
import { loadPlatformatic } from './platformatic/driver.ts'
import type { KafkaPullOptions } from './pull-options.ts'

export const kafkaDrivers = ['kafkajs', '@platformatic/kafka'] as const
export type KafkaDriverName = (typeof kafkaDrivers)[number]

export interface KafkaDriver {
  admin(): KafkaAdmin
  producer(options: KafkaProducerOptions): KafkaProducer
  pull(options: KafkaPullOptions, cursor: number, feed: Feed): Pull
}

const load: Readonly<Record<KafkaDriverName, (connection: KafkaConnection) => Promise<KafkaDriver>>> = {
  kafkajs: loadKafkajs,
  '@platformatic/kafka': loadPlatformatic,
}

/** The one that is named, else the first that is installed. */
export async function loadDriver(name: KafkaDriverName | undefined, connection: KafkaConnection): Promise<KafkaDriver> {
  const names = name === undefined ? kafkaDrivers : [name]
  let cause: unknown
  for (const candidate of names) {
    try {
      return await load[candidate](connection)
    } catch (error) {
      if (!isMissing(error)) throw error
      cause ??= error
    }
  }
  throw new MsgStreamError('MSG_DRIVER_MISSING', `the Kafka backend needs the package ${names.join(' or ')}: npm install ${names[0]}`, { cause })
}

const isMissing = (error: unknown): boolean => ['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND'].includes((error as { readonly code?: string } | undefined)?.code ?? '')
