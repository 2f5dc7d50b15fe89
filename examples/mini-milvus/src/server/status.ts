/** How failures reach clients: Milvus's numbered errors, and the Status message with its two generations of codes. */
import { ErrorCode, type Init, type Status } from '../wire/index.ts'
import { refusalOf } from './store-errors.ts'

/** Milvus's error codes (merr) that the node uses. */
export const Code = {
  NotReady: 1,
  MemoryLimit: 3,
  RateLimit: 8,
  QuotaExceeded: 9,
  Unimplemented: 10,
  CollectionNotFound: 100,
  CollectionNotLoaded: 101,
  CollectionLimit: 102,
  CollectionLoaded: 104,
  IllegalSchema: 105,
  SchemaMismatch: 109,
  VersionNotReady: 110,
  PartitionNotFound: 200,
  PartitionNotLoaded: 201,
  ReplicaNotFound: 400,
  SegmentNotFound: 600,
  IndexNotFound: 700,
  IndexDuplicate: 702,
  DatabaseNotFound: 800,
  DatabaseLimit: 801,
  DatabaseInvalidName: 802,
  ParameterInvalid: 1100,
  ParameterMissing: 1101,
  ParameterTooLarge: 1102,
  NotAuthenticated: 1400,
  NotPermitted: 1401,
  AliasNotFound: 1600,
  AliasCollision: 1601,
  QueryPlan: 2201,
  Unexpected: 65535,
} as const

const legacyCodes: ReadonlyMap<number, number> = new Map([
  [Code.NotReady, ErrorCode.NotReadyServe],
  [Code.RateLimit, ErrorCode.RateLimit],
  [Code.QuotaExceeded, ErrorCode.ForceDeny],
  [Code.CollectionNotFound, ErrorCode.CollectionNotExists],
  [Code.SchemaMismatch, ErrorCode.SchemaMismatch],
  [Code.VersionNotReady, ErrorCode.NotReadyServe],
  [Code.PartitionNotFound, ErrorCode.MetaFailed],
  [Code.ReplicaNotFound, ErrorCode.MetaFailed],
  [Code.SegmentNotFound, ErrorCode.SegmentNotFound],
  [Code.IndexNotFound, ErrorCode.IndexNotExist],
  [Code.ParameterInvalid, ErrorCode.IllegalArgument],
  [Code.ParameterMissing, ErrorCode.IllegalArgument],
  [Code.ParameterTooLarge, ErrorCode.IllegalArgument],
])

const retriable: ReadonlySet<number> = new Set([Code.NotReady, Code.RateLimit, Code.VersionNotReady])

/** A refusal that a client is meant to read. `code` is Milvus's number, `legacy` the older enum's value for it. */
export class MilvusError extends Error {
  override readonly name: string = 'MilvusError'
  readonly code: number
  readonly legacy: number

  /** @param legacy where Milvus answers another legacy code than the usual one for `code` */
  constructor(code: number, reason: string, legacy?: number, options?: { readonly cause?: unknown }) {
    super(reason, options?.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.legacy = legacy ?? legacyCodes.get(code) ?? ErrorCode.UnexpectedError
  }
}

export function success(): Init<Status> {
  return { error_code: ErrorCode.Success, code: 0, reason: '' }
}

export function errorStatus(error: MilvusError): Init<Status> {
  return { error_code: error.legacy, code: error.code, reason: error.message, retriable: retriable.has(error.code), detail: error.message }
}

/** Errors of the filter and the codec are known by their form, not their class: they come from their own modules. */
export function asMilvusError(error: unknown): MilvusError | undefined {
  if (error instanceof MilvusError) return error
  if (!(error instanceof Error)) return undefined
  const { code } = error as { code?: unknown }
  if (error.name === 'FilterError') {
    return new MilvusError(Code.ParameterInvalid, `cannot parse expression: ${error.message}`, undefined, { cause: error })
  }
  if (error.name === 'CodecError') {
    return new MilvusError(typeof code === 'number' ? code : Code.ParameterInvalid, error.message, undefined, { cause: error })
  }
  const refusal = refusalOf(error)
  return refusal === undefined ? undefined : new MilvusError(refusal.code, refusal.reason, undefined, { cause: error })
}

/** Any thrown value as a Status; what nobody meant to throw is code 65535. */
export function toStatus(error: unknown): Init<Status> {
  const known = asMilvusError(error)
  if (known !== undefined) return errorStatus(known)
  const reason = error instanceof Error ? `${error.name}: ${error.message}` : 'internal error'
  return errorStatus(new MilvusError(Code.Unexpected, reason))
}

export function collectionNotFound(dbName: string, name: string): MilvusError {
  return new MilvusError(Code.CollectionNotFound, `collection not found[database=${dbName}][collection=${name}]`)
}

export function databaseNotFound(name: string): MilvusError {
  return new MilvusError(Code.DatabaseNotFound, `database not found[database=${name}]`)
}

export function partitionNotFound(name: string): MilvusError {
  return new MilvusError(Code.PartitionNotFound, `partition not found[partition=${name}]`)
}

export function invalid(reason: string): MilvusError {
  return new MilvusError(Code.ParameterInvalid, `${reason}: invalid parameter`)
}
