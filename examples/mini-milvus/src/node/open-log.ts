/** The log on the Mq that the parameters name. Drivers of brokers are loaded here, when they are used. */
import type { Mq } from '@timetick/msgstream'
import type { GlobalParamsTable } from '@timetick/paramtable'
import type { NodeClock } from '../edge/system.ts'
import { readCertificate } from './certificates.edge.ts'
import { checkAddress, redisUrl } from './store-addresses.ts'
import { StoresError } from './stores-error.ts'

/** Topics are `<cluster>.<channel>`: no name of a cluster has a dot, so that none is the beginning of another's. */
const topicPrefix = (clusterName: string): string => `${clusterName}.`

export async function openKafkaLog(parameters: GlobalParamsTable, clusterName: string, clock: NodeClock): Promise<Mq> {
  const { openKafkaMq } = await import('@timetick/msgstream/kafka')
  const brokers = parameters.getList('kafka.brokerList').map((broker) => checkAddress('kafka.brokerList', broker))
  if (brokers.length === 0) throw new StoresError('STORES_INVALID', 'expected kafka.brokerList to name at least one host:port, got none')
  const protocol = parameters.getEnum('kafka.securityProtocol')
  const ca = await readCertificate(parameters, 'kafka.ssl.tlsCACert')
  const replicationFactor = parameters.getInt('kafka.replicationFactor')
  return openKafkaMq({
    brokers,
    clientId: `mini-milvus-${clusterName}`,
    prefix: topicPrefix(clusterName),
    timeoutMs: parameters.getDurationMs('kafka.requestTimeout'),
    ...(protocol.endsWith('SSL') ? { ssl: ca === undefined ? true : { ca: [new TextDecoder().decode(ca)] } } : {}),
    ...(protocol.startsWith('SASL_') ? { sasl: kafkaUser(parameters) } : {}),
    ...(replicationFactor === 0 ? {} : { replicationFactor }),
    clock,
  })
}

function kafkaUser(parameters: GlobalParamsTable): object {
  const username = parameters.getString('kafka.saslUsername')
  if (username === '') throw new StoresError('STORES_INVALID', 'expected kafka.saslUsername with kafka.securityProtocol=SASL_…, got none')
  return { mechanism: parameters.getEnum('kafka.saslMechanisms').toLowerCase(), username, password: parameters.getString('kafka.saslPassword') }
}

export async function openPulsarLog(parameters: GlobalParamsTable, clusterName: string, clock: NodeClock): Promise<Mq> {
  const { openPulsarMq } = await import('@timetick/msgstream/pulsar')
  const url = parameters.getString('pulsar.webaddress')
  if (!/^https?:\/\/[^/@\s]+\/*$/.test(url)) throw new StoresError('STORES_INVALID', `expected pulsar.webaddress to be http(s)://host:port, got ${JSON.stringify(url)}`)
  const serviceUrl = parameters.getString('pulsar.address')
  const token = parameters.getString('pulsar.token')
  return openPulsarMq({
    url,
    tenant: parameters.getString('pulsar.tenant'),
    namespace: parameters.getString('pulsar.namespace'),
    prefix: topicPrefix(clusterName),
    timeoutMs: parameters.getDurationMs('pulsar.requestTimeout'),
    ...(serviceUrl === '' ? {} : { serviceUrl }),
    ...(token === '' ? {} : { token }),
    clock,
  })
}

/** Streams are `mini-milvus:<cluster>:…`. */
export async function openRedisLog(parameters: GlobalParamsTable, clusterName: string, clock: NodeClock): Promise<Mq> {
  const { openRedisMq } = await import('@timetick/msgstream/redis')
  return openRedisMq({ url: redisUrl(parameters), prefix: `mini-milvus:${clusterName}:`, timeoutMs: parameters.getDurationMs('redis.requestTimeout'), clock })
}
