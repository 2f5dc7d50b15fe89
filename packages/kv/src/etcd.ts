/**
 * A store on etcd 3.4 or newer, through etcd3's low-level clients.
 *
 * @example
 * import { openEtcdKV } from '@timetick/kv/etcd'
 * const kv = await openEtcdKV({ hosts: 'http://127.0.0.1:2379', rootPath: 'by-dev' })
 */
import { checkInteger, expected, outOfRange, rootPrefix } from './check.ts'
import type { Clock } from './clock.ts'
import { systemClock, systemRandom } from './edge.ts'
import { createEngineKV } from './engine-kv.ts'
import type { EtcdClient, EtcdClientLike } from './etcd/client.ts'
import { connectEtcd } from './etcd/driver.ts'
import { EtcdEngine } from './etcd/engine.ts'
import { etcdError } from './etcd/failures.ts'
import { etcdFeatures } from './etcd/features.ts'
import type { KVBase } from './kv.ts'

export type { EtcdClientLike } from './etcd/client.ts'

export interface EtcdKVOptions {
  /** URLs of the members, `https:` for TLS. Either this or `client`. */
  readonly hosts?: string | readonly string[] | undefined
  /** A user of etcd's own access control. */
  readonly auth?: { readonly username: string; readonly password: string } | undefined
  /** Certificates in PEM, for TLS with an own authority or with client certificates. */
  readonly credentials?: { readonly rootCertificate: Uint8Array; readonly privateKey?: Uint8Array | undefined; readonly certChain?: Uint8Array | undefined } | undefined
  /** An `Etcd3` of your own instead. It stays open at `close`, and its fault handling is yours: its default repeats writes. */
  readonly client?: EtcdClientLike | undefined
  /** Put before every key with a `/`. At most 512 UTF-8 bytes. */
  readonly rootPath?: string | undefined
  /** Every call ends within this time. Default 5,000. */
  readonly timeoutMs?: number | undefined
  /** The server's `--max-txn-ops`. Default 128. */
  readonly maxTransactionOps?: number | undefined
  /** The server's `--max-request-bytes`. Default 1.5 MiB. */
  readonly maxRequestBytes?: number | undefined
  /** Bytes that may wait for the consumer of one watch before it ends with `KV_WATCH_LAGGED`. Default 16 MiB. */
  readonly maxWatchLagBytes?: number | undefined
  /** Time of deadlines and pauses. Default: the system's. */
  readonly clock?: Clock | undefined
}

/**
 * Connects to etcd and makes sure that it answers.
 *
 * @throws KVError `KV_UNAVAILABLE`, `KV_TIMEOUT` (nobody answers), `KV_DRIVER_MISSING`.
 */
export async function openEtcdKV(options: EtcdKVOptions): Promise<KVBase> {
  const checked = checkOptions(options)
  const { hosts, client: given, root } = checked
  // Checked to be a client as far as a structure can tell; the rest is the caller's promise.
  const client = (given as EtcdClient | undefined) ?? (await connectEtcd({ hosts: hosts ?? '', auth: options.auth, credentials: options.credentials, timeoutMs: checked.timeoutMs }))
  const engine = new EtcdEngine({
    ...checked,
    client,
    ownsClient: given === undefined,
    clock: options.clock ?? systemClock,
    random: systemRandom,
    features: etcdFeatures(checked),
  })
  try {
    await engine.get(`${root}\0`)
  } catch (error) {
    await engine.close()
    throw etcdError(error, 'open', false)
  }
  return createEngineKV(engine, root)
}

function checkOptions(options: EtcdKVOptions) {
  if (typeof options !== 'object' || options === null) throw expected('options', 'an object', options)
  const { hosts, client } = options
  if ((hosts === undefined) === (client === undefined)) throw new TypeError('expected either `hosts` or `client`')
  const urls: readonly unknown[] = hosts === undefined ? [] : Array.isArray(hosts) ? hosts : [hosts]
  for (const url of urls) if (typeof url !== 'string') throw expected('hosts', 'a URL or an array of URLs', hosts)
  if (urls.includes('') || (hosts !== undefined && urls.length === 0)) throw outOfRange('hosts', 'at least one URL', hosts)
  if (client !== undefined && (typeof client !== 'object' || client === null || typeof client.kv !== 'object')) {
    throw expected('client', 'an Etcd3 client', client)
  }
  const amount = (name: 'timeoutMs' | 'maxTransactionOps' | 'maxRequestBytes' | 'maxWatchLagBytes', fallback: number, least: number): number => {
    const value = options[name] ?? fallback
    checkInteger(name, value, least, 2 ** 31 - 1)
    return value
  }
  return {
    hosts,
    client,
    root: rootPrefix(options.rootPath),
    timeoutMs: amount('timeoutMs', 5000, 1),
    maxTransactionOps: amount('maxTransactionOps', 128, 1),
    maxRequestBytes: amount('maxRequestBytes', 1.5 * 1024 * 1024, 8192),
    maxWatchLagBytes: amount('maxWatchLagBytes', 16 * 1024 * 1024, 1),
  }
}
