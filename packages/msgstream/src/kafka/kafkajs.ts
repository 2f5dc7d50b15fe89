/** Loads kafkajs: the only place that touches it. */
import type * as Driver from 'kafkajs'
import type { KafkaClient } from './client.ts'
import type { KafkaConnection } from './connection.ts'
import type { KafkaDriver } from './driver.ts'
import { KafkaPull } from './pull.ts'

export async function loadKafkajs({ brokers, clientId, ssl, sasl, timeoutMs }: KafkaConnection): Promise<KafkaDriver> {
  const loaded = (await import('kafkajs')) as typeof Driver & { readonly default?: typeof Driver }
  const driver = loaded.default ?? loaded
  const security = { ...(ssl === undefined ? {} : { ssl }), ...(sasl === undefined ? {} : { sasl }) } as Pick<Driver.KafkaConfig, 'ssl' | 'sasl'>
  return driverOf(
    new driver.Kafka({
      ...security,
      clientId,
      brokers: [...brokers],
      logLevel: driver.logLevel.NOTHING,
      connectionTimeout: Math.min(timeoutMs, 3000),
      requestTimeout: timeoutMs,
      retry: { initialRetryTime: 50, maxRetryTime: 1000, retries: 5 },
    }),
  )
}

/** A `Kafka` of kafkajs as this backend uses one. */
export function driverOf(client: KafkaClient): KafkaDriver {
  return {
    admin: () => client.admin(),
    producer: (options) => client.producer(options),
    pull: (options, cursor, feed) => new KafkaPull(client, options, cursor, feed),
  }
}
