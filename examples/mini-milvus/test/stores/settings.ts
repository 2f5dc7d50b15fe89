/** Parameters of nodes whose stores are the tests' servers. */
import { runId, serviceAddress, type ServiceName, serviceUrl } from './services.edge.ts'

export interface Combination {
  readonly name: string
  readonly services: readonly ServiceName[]
  /** Parameters for a cluster of this name; `folder` is a folder of the test. */
  readonly parameters: (clusterName: string, folder: string) => Readonly<Record<string, string>>
}

const etcd = (): Record<string, string> => ({ 'metastore.type': 'etcd', 'etcd.endpoints': serviceAddress('etcd'), 'etcd.rootPath': `test-${runId}` })
const redis = (): Record<string, string> => ({ 'metastore.type': 'redis', 'mq.type': 'redis', 'redis.address': serviceAddress('redis') })
const shared = (folder: string): Record<string, string> => ({ 'storage.type': 'shared', 'sharedStorage.path': `${folder}/shared` })
const own = (clusterName: string, folder: string): Record<string, string> => ({ 'cluster.name': clusterName, 'localStorage.path': `${folder}/${clusterName}` })

const broker: Readonly<Record<'kafka' | 'pulsar', () => Record<string, string>>> = {
  kafka: () => ({ 'mq.type': 'kafka', 'kafka.brokerList': serviceAddress('kafka') }),
  pulsar: () => ({ 'mq.type': 'pulsar', 'pulsar.webaddress': serviceUrl('pulsar') }),
}

export const combinations: readonly Combination[] = [
  { name: 'etcd, Kafka and a shared folder', services: ['etcd', 'kafka'], parameters: (name, folder) => ({ ...own(name, folder), ...etcd(), ...broker.kafka(), ...shared(folder) }) },
  { name: 'etcd, Pulsar and a shared folder', services: ['etcd', 'pulsar'], parameters: (name, folder) => ({ ...own(name, folder), ...etcd(), ...broker.pulsar(), ...shared(folder) }) },
  { name: 'Redis and a shared folder', services: ['redis'], parameters: (name, folder) => ({ ...own(name, folder), ...redis(), ...shared(folder) }) },
]

let clusters = 0

/** A name for a cluster that no other test has. */
export function newClusterName(): string {
  return `c${runId}-${++clusters}`
}
