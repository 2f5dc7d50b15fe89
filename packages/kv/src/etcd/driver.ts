/** Opens a client of etcd3 with its own fault handling off: the only place that touches the driver. */
import type * as Driver from 'etcd3'
import { KVError } from '../errors.ts'
import { systemClock } from '../edge.ts'
import type { EtcdClient } from './client.ts'

export interface EtcdConnection {
  readonly hosts: string | readonly string[]
  readonly auth: { readonly username: string; readonly password: string } | undefined
  readonly credentials: { readonly rootCertificate: Uint8Array; readonly privateKey?: Uint8Array | undefined; readonly certChain?: Uint8Array | undefined } | undefined
  readonly timeoutMs: number
}

/** In place of the library's retries and circuit breaker, which repeat writes and block every call after three failures. */
const noPolicy = {
  _altSignal: undefined,
  onSuccess: () => ({ dispose: () => undefined }),
  onFailure: () => ({ dispose: () => undefined }),
  execute: async <T>(action: (context: { signal: AbortSignal }) => T | PromiseLike<T>): Promise<T> => action({ signal: never }),
}
const never = new AbortController().signal

async function loadDriver(): Promise<typeof Driver> {
  try {
    return await import('etcd3')
  } catch (cause) {
    throw new KVError('KV_DRIVER_MISSING', 'the etcd backend needs the package etcd3: npm install etcd3', { cause })
  }
}

export async function connectEtcd(connection: EtcdConnection): Promise<EtcdClient> {
  const { Etcd3 } = await loadDriver()
  const { hosts, auth, credentials, timeoutMs } = connection
  const policy = noPolicy as never
  return new Etcd3({
    hosts: typeof hosts === 'string' ? hosts : [...hosts],
    ...(auth === undefined ? {} : { auth: { ...auth } }),
    ...(credentials === undefined ? {} : { credentials: certificates(credentials) }),
    faultHandling: { host: () => policy, global: policy },
    // Also for the call that fetches a token.
    defaultCallOptions: (context) => (context.isStream ? {} : { deadline: systemClock.now() + timeoutMs }),
    grpcOptions: {
      'grpc.keepalive_time_ms': 10_000,
      'grpc.keepalive_timeout_ms': 3000,
      'grpc.keepalive_permit_without_calls': 1,
      'grpc.initial_reconnect_backoff_ms': 50,
      'grpc.min_reconnect_backoff_ms': 50,
      'grpc.max_reconnect_backoff_ms': 1000,
      // Beyond its default size a batch of events would be lost.
      'grpc.max_receive_message_length': -1,
      'grpc.max_send_message_length': -1,
    },
  })
}

function certificates({ rootCertificate, privateKey, certChain }: NonNullable<EtcdConnection['credentials']>): { rootCertificate: Buffer; privateKey?: Buffer; certChain?: Buffer } {
  return {
    rootCertificate: Buffer.from(rootCertificate),
    ...(privateKey === undefined ? {} : { privateKey: Buffer.from(privateKey) }),
    ...(certChain === undefined ? {} : { certChain: Buffer.from(certChain) }),
  }
}
