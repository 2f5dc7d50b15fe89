/** Failures of the S3 client as StorageErrors. */
import { StorageError, type StorageErrorCode } from './errors.ts'

const BY_NAME: ReadonlyMap<string, StorageErrorCode> = new Map([
  ['NoSuchKey', 'STORAGE_NOT_FOUND'],
  ['NotFound', 'STORAGE_NOT_FOUND'],
  ['NoSuchBucket', 'STORAGE_DENIED'],
  ['AccessDenied', 'STORAGE_DENIED'],
  ['InvalidAccessKeyId', 'STORAGE_DENIED'],
  ['SignatureDoesNotMatch', 'STORAGE_DENIED'],
  ['InvalidRange', 'STORAGE_CORRUPT'],
  ['TimeoutError', 'STORAGE_TIMEOUT'],
  ['RequestTimeout', 'STORAGE_TIMEOUT'],
  ['QuotaExceeded', 'STORAGE_FULL'],
  ['XMinioStorageFull', 'STORAGE_FULL'],
  ['CredentialsProviderError', 'STORAGE_DENIED'],
])

const BY_STATUS: ReadonlyMap<number, StorageErrorCode> = new Map([
  [401, 'STORAGE_DENIED'],
  [403, 'STORAGE_DENIED'],
  [404, 'STORAGE_NOT_FOUND'],
  [416, 'STORAGE_CORRUPT'],
  [507, 'STORAGE_FULL'],
])

/** Refusals of the moment: too slow, somebody else was at it, another object meanwhile, too early, too many. */
const PASSING: ReadonlySet<number> = new Set([408, 409, 412, 425, 429])

interface Known {
  readonly name?: string
  readonly $metadata?: { readonly httpStatusCode?: number }
}

export function statusOf(error: unknown): number | undefined {
  return (error as Known | undefined)?.$metadata?.httpStatusCode
}

/** @param what such as `cannot read segments/7` @param outcome of a write that got no answer */
export function s3Error(what: string, cause: unknown, outcome?: 'unknown' | 'not-applied'): StorageError {
  if (cause instanceof StorageError) return cause
  const { name = '' } = (cause ?? {}) as Known
  const status = statusOf(cause)
  // A server that answered with a refusal did nothing; its own failures say no more than no answer.
  const wasRefused = status !== undefined && status >= 400 && status < 500
  const isFinal = wasRefused && !PASSING.has(status)
  const code = BY_NAME.get(name) ?? (status === undefined ? undefined : BY_STATUS.get(status)) ?? (isFinal ? 'STORAGE_DENIED' : 'STORAGE_UNAVAILABLE')
  const text = cause instanceof Error ? `${name === 'Error' || name === '' ? '' : `${name}: `}${cause.message}` : String(cause)
  return new StorageError(code, `${what}: ${text}`, { cause, outcome: outcome === undefined ? undefined : wasRefused ? 'not-applied' : outcome })
}
