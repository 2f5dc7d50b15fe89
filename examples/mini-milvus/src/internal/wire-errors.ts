/** Errors as plain data, and back: Milvus's numbered ones as themselves, those of the node's parts by their code, and whether to try again. */
import { asMilvusError, MilvusError } from '../server/status.ts'
import { isRpcErrorCode, RpcError } from './errors.ts'

/** A failure of a part of another process: `code`, `retryable` and `outcome` are what they were there. */
export class RemoteError extends Error {
  override readonly name: string = 'RemoteError'
  readonly code: string
  readonly retryable: boolean
  readonly outcome: 'not-applied' | 'unknown' | undefined
  readonly details: Readonly<Record<string, unknown>>

  constructor(code: string, message: string, retryable: boolean, outcome: 'not-applied' | 'unknown' | undefined, details: Readonly<Record<string, unknown>>) {
    super(message)
    this.code = code
    this.retryable = retryable
    this.outcome = outcome
    this.details = details
  }
}

/** What is not meant for others (paths, stacks) stays inside. */
export function encodeError(error: unknown): object {
  const { code, retryable, outcome, details } = (typeof error === 'object' && error !== null ? error : {}) as Record<string, unknown>
  // Errors of filters and codecs are meant for clients: they become Milvus's.
  if (error instanceof Error && typeof code === 'string' && error.name !== 'FilterError' && error.name !== 'CodecError') {
    return { kind: 'part', code, message: error.message, retryable: retryable === true, outcome, details: plainDetails(details) }
  }
  const known = asMilvusError(error)
  if (known !== undefined) return { kind: 'milvus', code: known.code, legacy: known.legacy, message: known.message }
  return { kind: 'part', code: 'INTERNAL', message: error instanceof Error ? `${error.name}: ${error.message}` : 'internal error', retryable: false, details: {} }
}

export function decodeError(data: unknown): Error {
  const { kind, code, legacy, message, retryable, outcome, details } = (typeof data === 'object' && data !== null ? data : {}) as Record<string, unknown>
  const text = typeof message === 'string' ? message : 'unreadable'
  if (kind === 'milvus' && typeof code === 'number') return new MilvusError(code, text, typeof legacy === 'number' ? legacy : undefined)
  const known = outcome === 'not-applied' || outcome === 'unknown' ? outcome : undefined
  const more = typeof details === 'object' && details !== null ? (details as Record<string, unknown>) : {}
  if (isRpcErrorCode(code)) return new RpcError(code, text, { outcome: known, retryable: retryable === true, details: more })
  return new RemoteError(typeof code === 'string' ? code : 'INTERNAL', text, retryable === true, known, more)
}

/** Small values alone. */
function plainDetails(details: unknown): Record<string, unknown> {
  if (typeof details !== 'object' || details === null) return {}
  return Object.fromEntries(Object.entries(details).filter(([, value]) => ['string', 'number', 'boolean', 'bigint'].includes(typeof value)))
}
