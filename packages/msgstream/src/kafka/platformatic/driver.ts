/** Loads @platformatic/kafka: the only place that touches it. */
import type { KafkaDriver } from '../driver.ts'
import type { KafkaConnection } from '../connection.ts'
import { adminOf } from './admin.ts'
import { producerOf } from './producer.ts'
import { FetchPull } from './pull.ts'
import type { ClientOptions, Driver } from './types.ts'

const NAME = '@platformatic/kafka'
const RETRY_DELAY_MS = 100
const FOREVER = Number.MAX_SAFE_INTEGER

export async function loadPlatformatic({ brokers, clientId, ssl, sasl, timeoutMs }: KafkaConnection): Promise<KafkaDriver> {
  const { Admin, Producer, Consumer } = (await import(NAME)) as Driver
  const options: ClientOptions = {
    clientId,
    bootstrapBrokers: [...brokers],
    timeout: timeoutMs,
    connectTimeout: Math.min(timeoutMs, 3000),
    retries: 5,
    retryDelay: RETRY_DELAY_MS,
    autocreateTopics: false,
    ...(ssl === undefined || ssl === false ? {} : { tls: ssl === true ? {} : ssl }),
    ...(sasl === undefined ? {} : { sasl: withUpperMechanism(sasl) }),
  }
  return {
    admin: () => adminOf(new Admin(options)),
    // A batch is sent until its outcome is known: the deadline is ours.
    producer: ({ transactionalId }) => producerOf(new Producer({ ...options, retries: FOREVER, idempotent: true, ...(transactionalId === undefined ? {} : { transactionalId }) })),
    pull: (pull, cursor, feed) => new FetchPull(new Consumer({ ...options, retries: 0, groupId: pull.groupId }), pull, cursor, feed),
  }
}

/** kafkajs writes `plain`, this one `PLAIN`. */
function withUpperMechanism(sasl: object): object {
  const { mechanism } = sasl as { readonly mechanism?: unknown }
  return { ...sasl, ...(typeof mechanism === 'string' ? { mechanism: mechanism.toUpperCase() } : {}) }
}
