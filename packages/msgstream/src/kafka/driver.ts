/** Loads kafkajs: the only place that touches the driver. */
import type * as Driver from 'kafkajs'
import { MsgStreamError } from '../errors.ts'
import type { KafkaClient } from './client.ts'

export interface KafkaConnection {
  readonly brokers: readonly string[]
  readonly clientId: string
  readonly ssl?: object | boolean | undefined
  readonly sasl?: object | undefined
  readonly timeoutMs: number
}

export async function connectKafka({ brokers, clientId, ssl, sasl, timeoutMs }: KafkaConnection): Promise<KafkaClient> {
  let driver: typeof Driver
  try {
    const loaded = (await import('kafkajs')) as typeof Driver & { readonly default?: typeof Driver }
    driver = loaded.default ?? loaded
  } catch (cause) {
    throw new MsgStreamError('MSG_DRIVER_MISSING', 'the Kafka backend needs the package kafkajs: npm install kafkajs', { cause })
  }
  const security = { ...(ssl === undefined ? {} : { ssl }), ...(sasl === undefined ? {} : { sasl }) } as Pick<Driver.KafkaConfig, 'ssl' | 'sasl'>
  return new driver.Kafka({
    ...security,
    clientId,
    brokers: [...brokers],
    logLevel: driver.logLevel.NOTHING,
    connectionTimeout: Math.min(timeoutMs, 3000),
    requestTimeout: timeoutMs,
    retry: { initialRetryTime: 50, maxRetryTime: 1000, retries: 5 },
  })
}
