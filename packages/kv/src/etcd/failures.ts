/** What a failed call of the driver means to the caller. */
import { type KVErrorCode, KVError } from '../errors.ts'

/** Surely never left this process: also a write may be tried again. */
const NOT_SENT = /No connection established|ECONNREFUSED|Name resolution failed|Channel closed before call started|already closed/

/** The driver drops gRPC's status code, but not from the text: "14 UNAVAILABLE: …". */
function statusOf(message: string): string {
  return /(?:^|\s)\d+ ([A-Z_]+):/.exec(message)?.[1] ?? 'UNKNOWN'
}

const codes: Readonly<Record<string, KVErrorCode>> = {
  DEADLINE_EXCEEDED: 'KV_TIMEOUT',
  OUT_OF_RANGE: 'KV_COMPACTED',
}

/** The server looked at it and refused it. */
const REFUSED = new Set(['INVALID_ARGUMENT', 'NOT_FOUND', 'ALREADY_EXISTS', 'PERMISSION_DENIED', 'FAILED_PRECONDITION', 'OUT_OF_RANGE', 'UNIMPLEMENTED', 'UNAUTHENTICATED'])

export function etcdError(cause: unknown, what: string, isWrite: boolean): KVError {
  if (cause instanceof KVError) return cause
  const message = cause instanceof Error ? cause.message : String(cause)
  const outcome = (known: boolean): 'not-applied' | 'unknown' | undefined => (isWrite ? (known ? 'not-applied' : 'unknown') : undefined)
  if (/lease not found/.test(message)) return new KVError('KV_LEASE_NOT_FOUND', `${what}: the lease has ended or never was`, { cause, outcome: 'not-applied' })
  if (/request is too large|too many operations|trying to send message larger/.test(message)) {
    return new KVError('KV_TOO_LARGE', `${what}: more than the server takes at once`, { cause, outcome: outcome(true) })
  }
  if (/database space exceeded/.test(message)) {
    return new KVError('KV_STORAGE_FAILED', `${what}: the server's quota is used up`, { cause, outcome: outcome(true) })
  }
  const status = statusOf(message)
  const notSent = NOT_SENT.test(message)
  // Bad names, passwords and rights do not heal by trying again.
  const isRefused = REFUSED.has(status) || /authentication failed|permission denied|user name is empty/.test(message)
  return new KVError(codes[status] ?? 'KV_UNAVAILABLE', `${what}: ${message}`, {
    cause,
    outcome: outcome(notSent || isRefused),
    retryable: isRefused ? false : undefined,
    details: { status },
  })
}

/** True where trying again cannot do it twice: nothing was sent, or it only reads. */
export function mayRepeat(error: KVError, isWrite: boolean): boolean {
  return error.retryable && error.code === 'KV_UNAVAILABLE' && (!isWrite || error.outcome === 'not-applied')
}
