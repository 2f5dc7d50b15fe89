/** Parameters of nodes whose stores are the tests' servers. */
import { ring, runId, s3Keys, serviceAddress, type ServiceName, serviceUrl } from './services.edge.ts'

export interface Combination {
  readonly name: string
  /** As the environment names it. */
  readonly key: string
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

const s3 = (): Record<string, string> => ({ 'storage.type': 's3', 'minio.address': serviceAddress('s3'), 'minio.accessKeyID': s3Keys.id, 'minio.secretAccessKey': s3Keys.secret, 'minio.bucketName': `nodes-${runId}` })

export const combinations: readonly Combination[] = [
  { name: 'etcd, Kafka and S3', key: 'etcd+kafka+s3', services: ['etcd', 'kafka', 's3'], parameters: (name, folder) => ({ ...own(name, folder), ...etcd(), ...broker.kafka(), ...s3() }) },
  { name: 'etcd, Pulsar and S3', key: 'etcd+pulsar+s3', services: ['etcd', 'pulsar', 's3'], parameters: (name, folder) => ({ ...own(name, folder), ...etcd(), ...broker.pulsar(), ...s3() }) },
  { name: 'Redis and a shared folder', key: 'redis', services: ['redis'], parameters: (name, folder) => ({ ...own(name, folder), ...redis(), ...shared(folder) }) },
]

let clusters = 0

/** A name for a cluster that no other test has. */
export function newClusterName(): string {
  return `c${runId}-${++clusters}`
}

/** By default the quickest one stands for all; all of them in CI. */
export const chosenCombinations = combinations.filter(({ services }) => ring !== 'default' || services.includes('redis'))
