/** Parameters that say where metadata, log and objects lie. Keys are Milvus's where it has them. */
import type { GlobalParamsTable, ParamDeclaration } from '@timetick/paramtable'
import { StoresError } from './stores-error.ts'

export const METASTORES = ['lmdb', 'memory', 'etcd', 'redis'] as const
export const LOGS = ['file', 'memory', 'kafka', 'pulsar', 'redis'] as const
export const STORAGES = ['local', 'memory', 'shared', 's3'] as const

export type MetastoreType = (typeof METASTORES)[number]
export type LogType = (typeof LOGS)[number]
export type StorageType = (typeof STORAGES)[number]

export const storeDeclarations: readonly ParamDeclaration[] = [
  { key: 'metastore.type', type: 'enum', default: 'lmdb', oneOf: METASTORES, doc: 'Where metadata lies: in the data folder (lmdb), in memory, on etcd or on Redis.' },
  { key: 'mq.type', type: 'enum', default: 'file', oneOf: LOGS, doc: 'Where the log lies: in the data folder (file), in memory, on Kafka, Pulsar or Redis.' },
  { key: 'storage.type', type: 'enum', default: 'local', oneOf: STORAGES, doc: 'Where segments and indexes lie: in the data folder (local), in memory, in a folder that machines share, or on S3.' },
  { key: 'cluster.name', type: 'string', default: 'by-dev', doc: 'Part of every key, topic and object on etcd, Redis, brokers, S3 and shared folders: clusters of different names share them unseen. 1 to 32 of [A-Za-z0-9_-].' },
  { key: 'stores.openTimeout', type: 'durationMs', unit: 'ms', default: 15_000, min: 100, max: 600_000, doc: 'How long each store may take to answer when the node starts.' },
  { key: 'etcd.endpoints', type: 'list', default: '127.0.0.1:2379', doc: 'Members of etcd, by commas: host:port, or URLs.' },
  { key: 'etcd.rootPath', type: 'string', default: 'mini-milvus', doc: 'Put before the name of the cluster in every key.' },
  { key: 'etcd.requestTimeout', type: 'durationMs', unit: 'ms', default: 5000, min: 100, max: 600_000, doc: 'Every call to etcd ends within this time.' },
  { key: 'etcd.maxTxnOps', type: 'int', default: 128, min: 16, max: 100_000, doc: 'The server’s --max-txn-ops.' },
  { key: 'etcd.auth.userName', type: 'string', default: '', doc: 'User of etcd’s access control.' },
  { key: 'etcd.auth.password', type: 'string', default: '', secret: true, doc: 'Its password.' },
  { key: 'etcd.ssl.tlsCACert', type: 'string', default: '', doc: 'Authorities that etcd’s certificate must come from, PEM. Turns TLS on, as https:// in an endpoint does.' },
  { key: 'etcd.ssl.tlsCert', type: 'string', default: '', doc: 'Client certificate for etcd, PEM.' },
  { key: 'etcd.ssl.tlsKey', type: 'string', default: '', doc: 'Its private key, PEM.' },
  { key: 'redis.address', type: 'string', default: '127.0.0.1:6379', doc: 'host:port of Redis, for metadata and log.' },
  { key: 'redis.username', type: 'string', default: '', doc: 'User of Redis; the default one unless set.' },
  { key: 'redis.password', type: 'string', default: '', secret: true, doc: 'Its password.' },
  { key: 'redis.db', type: 'int', default: 0, min: 0, max: 65_535, doc: 'Number of the database.' },
  { key: 'redis.useSSL', type: 'bool', default: false, doc: 'TLS to Redis.' },
  { key: 'redis.requestTimeout', type: 'durationMs', unit: 'ms', default: 5000, min: 100, max: 600_000, doc: 'Every command ends within this time.' },
  { key: 'kafka.brokerList', type: 'list', default: '127.0.0.1:9092', doc: 'Some brokers, by commas: host:port.' },
  { key: 'kafka.securityProtocol', type: 'enum', default: 'PLAINTEXT', oneOf: ['PLAINTEXT', 'SSL', 'SASL_PLAINTEXT', 'SASL_SSL'], doc: 'How brokers are spoken to.' },
  { key: 'kafka.saslMechanisms', type: 'enum', default: 'PLAIN', oneOf: ['PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512'], doc: 'How the user signs in.' },
  { key: 'kafka.saslUsername', type: 'string', default: '', doc: 'User of Kafka.' },
  { key: 'kafka.saslPassword', type: 'string', default: '', secret: true, doc: 'Its password.' },
  { key: 'kafka.ssl.tlsCACert', type: 'string', default: '', doc: 'Authorities that the brokers’ certificates must come from, PEM.' },
  { key: 'kafka.replicationFactor', type: 'int', default: 0, min: 0, max: 100, doc: 'Of topics that are made. 0: the brokers’ default.' },
  { key: 'kafka.requestTimeout', type: 'durationMs', unit: 'ms', default: 30_000, min: 100, max: 600_000, doc: 'Every call to Kafka ends within this time.' },
  { key: 'pulsar.webaddress', type: 'string', default: 'http://127.0.0.1:8080', doc: 'Pulsar’s web service, which must serve WebSockets.' },
  { key: 'pulsar.address', type: 'string', default: '', doc: 'pulsar://host:port: messages go through pulsar-client, which must be installed, instead of by WebSocket.' },
  { key: 'pulsar.tenant', type: 'string', default: 'public', doc: 'Tenant of the namespace.' },
  { key: 'pulsar.namespace', type: 'string', default: 'default', doc: 'Namespace of the topics. It must exist and retain its data.' },
  { key: 'pulsar.token', type: 'string', default: '', secret: true, doc: 'Sent as a bearer token.' },
  { key: 'pulsar.requestTimeout', type: 'durationMs', unit: 'ms', default: 10_000, min: 100, max: 600_000, doc: 'Every call to Pulsar ends within this time.' },
  { key: 'sharedStorage.path', type: 'string', default: '', doc: 'Folder that all machines of the cluster see, for storage.type=shared.' },
  { key: 'minio.address', type: 'string', default: '127.0.0.1:9000', doc: 'S3: host, host:port or a URL. Empty: the public service of minio.region.' },
  { key: 'minio.port', type: 'int', default: 9000, min: 1, max: 65_535, doc: 'S3: port, where minio.address names none.' },
  { key: 'minio.accessKeyID', type: 'string', default: 'minioadmin', doc: 'S3: access key.' },
  { key: 'minio.secretAccessKey', type: 'string', default: 'minioadmin', secret: true, doc: 'S3: secret key.' },
  { key: 'minio.useIAM', type: 'bool', default: false, doc: 'S3: take credentials from the machine’s role, the environment or the profile instead.' },
  { key: 'minio.useSSL', type: 'bool', default: false, doc: 'S3: https, where minio.address is no URL.' },
  { key: 'minio.region', type: 'string', default: '', doc: 'S3: region; us-east-1 unless set.' },
  { key: 'minio.useVirtualHost', type: 'bool', default: false, doc: 'S3: the bucket’s name in the host instead of the path.' },
  { key: 'minio.bucketName', type: 'string', default: 'a-bucket', doc: 'S3: bucket.' },
  { key: 'minio.createBucket', type: 'bool', default: true, doc: 'S3: make the bucket where it is missing.' },
  { key: 'minio.rootPath', type: 'string', default: 'files', doc: 'S3: put before the name of the cluster in every object’s key.' },
  { key: 'minio.requestTimeoutMs', type: 'durationMs', unit: 'ms', default: 30_000, min: 100, max: 600_000, doc: 'S3: every request ends within this time; a large object goes in several.' },
  { key: 'storage.cache.path', type: 'string', default: '', doc: 'Folder of this machine for copies of objects that lie on S3; `cache` in localStorage.path unless set.' },
  { key: 'storage.cache.maxBytes', type: 'bytes', unit: 'b', default: '10g', min: 1024 ** 2, max: 2 ** 50, doc: 'Size of these copies. The ones that were not used for longest go first; what is in use stays, also beyond it.' },
]

export interface StoreChoices {
  readonly metastore: MetastoreType
  readonly log: LogType
  readonly storage: StorageType
  /** One of them lies in the data folder. */
  readonly usesFolder: boolean
  readonly clusterName: string
}

/** What the parameters ask for. `common.inMemory` stands for three stores in memory, unless one is named. */
export function storeChoices(parameters: GlobalParamsTable): StoreChoices {
  const inMemory = parameters.getBool('common.inMemory')
  const choice = (key: string): string => (inMemory && parameters.explain(key).layer === 'default' ? 'memory' : parameters.getEnum(key))
  const metastore = choice('metastore.type') as MetastoreType
  const log = choice('mq.type') as LogType
  const storage = choice('storage.type') as StorageType
  const usesFolder = metastore === 'lmdb' || log === 'file' || storage === 'local'
  return { metastore, log, storage, usesFolder, clusterName: clusterName(parameters) }
}

/** Kafka's topics, Redis's keys and S3's prefixes all hold it, each behind or before a character that it cannot have. */
function clusterName(parameters: GlobalParamsTable): string {
  const name = parameters.getString('cluster.name')
  if (!/^[A-Za-z0-9_-]{1,32}$/.test(name)) throw new StoresError('STORES_INVALID', `expected cluster.name to be 1 to 32 of [A-Za-z0-9_-], got ${JSON.stringify(name)}`)
  return name
}
