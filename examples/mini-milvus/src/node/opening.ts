/** The opening of a store within a time, and what its failures mean to whoever started the node. */
import type { GlobalParamsTable } from '@timetick/paramtable'
import type { NodeClock } from '../edge/system.ts'
import { StoresError } from './stores-error.ts'

export interface Opening {
  /** `metastore`, `mq` or `storage`. */
  readonly what: string
  readonly type: string
  readonly parameters: GlobalParamsTable
  readonly clock: NodeClock
  readonly timeoutMs: number
}

/** Where each server is said to be. */
const ADDRESSES: Readonly<Record<string, string>> = {
  etcd: 'etcd.endpoints',
  redis: 'redis.address',
  kafka: 'kafka.brokerList',
  pulsar: 'pulsar.webaddress',
  s3: 'minio.address',
  shared: 'sharedStorage.path',
}

/** Stores without a server pass their own errors: they are known by their codes. One that opens too late is closed. */
export async function opening<T extends { close(): Promise<void> }>(options: Opening, open: () => Promise<T>): Promise<T> {
  const { type, clock, timeoutMs } = options
  if (ADDRESSES[type] === undefined) return open()
  let isLate = false
  let cancel: (() => void) | undefined
  const late = new Promise<never>((_, reject) => {
    cancel = clock.setTimer(() => {
      isLate = true
      reject(failure(options, `did not answer within ${timeoutMs} ms`, undefined))
    }, timeoutMs)
  })
  const opened = open()
  opened.then((store) => (isLate ? store.close() : undefined)).catch(() => undefined)
  try {
    return await Promise.race([opened, late])
  } catch (error) {
    throw told(options, error)
  } finally {
    cancel?.()
  }
}

function told(options: Opening, error: unknown): unknown {
  if (!(error instanceof Error) || error instanceof StoresError) return error
  const { code } = error as { code?: unknown }
  if (typeof code === 'string' && code.endsWith('_DRIVER_MISSING')) return new StoresError('STORES_DRIVER_MISSING', `${options.what}.type=${options.type}: ${error.message}`, { cause: error })
  if (error instanceof TypeError || error instanceof RangeError) return new StoresError('STORES_INVALID', `${options.what}.type=${options.type}: ${error.message}`, { cause: error })
  return failure(options, `cannot be used: ${reasonOf(error)}`, error)
}

function failure({ what, type, parameters }: Opening, why: string, cause: unknown): StoresError {
  const key = ADDRESSES[type] ?? ''
  return new StoresError('STORES_UNREACHABLE', `${what}.type=${type}: ${key}=${parameters.load(key) ?? ''} ${why}`, { cause })
}

/** The deepest cause says most; drivers wrap it. */
function reasonOf(error: Error): string {
  const reasons = [error.message]
  for (let inner = error.cause; inner instanceof Error && reasons.length < 4; inner = inner.cause) if (!reasons.includes(inner.message)) reasons.push(inner.message)
  return reasons.join(': ')
}
