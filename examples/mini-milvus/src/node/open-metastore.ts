/** Metadata on the KVBase that the parameters name. Drivers of servers are loaded here, when they are used. */
import type { KVBase } from '@timetick/kv'
import type { GlobalParamsTable } from '@timetick/paramtable'
import type { NodeClock } from '../edge/system.ts'
import { readCertificate } from './certificates.edge.ts'
import { addressUrl, redisUrl } from './store-addresses.ts'
import { StoresError } from './stores-error.ts'

/** Every key begins with `<etcd.rootPath>/<cluster>/`. */
export async function openEtcdMetastore(parameters: GlobalParamsTable, clusterName: string, clock: NodeClock): Promise<KVBase> {
  const { openEtcdKV } = await import('@timetick/kv/etcd')
  const [ca, certChain, privateKey] = await Promise.all(['etcd.ssl.tlsCACert', 'etcd.ssl.tlsCert', 'etcd.ssl.tlsKey'].map((key) => readCertificate(parameters, key)))
  if ((certChain === undefined) !== (privateKey === undefined)) throw new StoresError('STORES_INVALID', 'expected etcd.ssl.tlsCert and etcd.ssl.tlsKey together, got one of them')
  if (certChain !== undefined && ca === undefined) throw new StoresError('STORES_INVALID', 'expected etcd.ssl.tlsCACert beside etcd.ssl.tlsCert, got none')
  const hosts = parameters.getList('etcd.endpoints').map((endpoint) => addressUrl('etcd.endpoints', endpoint, ca !== undefined))
  if (hosts.length === 0) throw new StoresError('STORES_INVALID', 'expected etcd.endpoints to name at least one host:port, got none')
  const username = parameters.getString('etcd.auth.userName')
  return openEtcdKV({
    hosts,
    rootPath: `${rootPath(parameters)}/${clusterName}`,
    timeoutMs: parameters.getDurationMs('etcd.requestTimeout'),
    maxTransactionOps: parameters.getInt('etcd.maxTxnOps'),
    auth: username === '' ? undefined : { username, password: parameters.getString('etcd.auth.password') },
    credentials: ca === undefined ? undefined : { rootCertificate: ca, certChain, privateKey },
    clock,
  })
}

function rootPath(parameters: GlobalParamsTable): string {
  const path = parameters.getString('etcd.rootPath')
  if (!/^[^/\0]+(\/[^/\0]+)*$/.test(path)) throw new StoresError('STORES_INVALID', `expected etcd.rootPath to be names between slashes, got ${JSON.stringify(path)}`)
  return path
}

/** Each cluster is a store of its own, with its own revisions: every key begins with `{mini-milvus:<cluster>}:`. */
export async function openRedisMetastore(parameters: GlobalParamsTable, clusterName: string, clock: NodeClock): Promise<KVBase> {
  const { openRedisKV } = await import('@timetick/kv/redis')
  return openRedisKV({ url: redisUrl(parameters), store: `mini-milvus:${clusterName}`, timeoutMs: parameters.getDurationMs('redis.requestTimeout'), clock })
}
