import type { Clock } from '../clock.ts'
import { MsgStreamError } from '../errors.ts'

interface KafkaFailure {
  readonly name?: unknown
  readonly message?: unknown
  readonly retriable?: unknown
  readonly type?: unknown
  readonly cause?: unknown
}

/** The error of the protocol that lies below, if there is one. */
function rootOf(error: unknown): KafkaFailure {
  let at = (error ?? {}) as KafkaFailure
  for (let depth = 0; depth < 5 && typeof at.cause === 'object' && at.cause !== null; depth++) at = at.cause
  return at
}

export function kafkaError(cause: unknown, what: string, isWrite: boolean): MsgStreamError {
  if (cause instanceof MsgStreamError) return cause
  const { message, retriable, type, name } = rootOf(cause)
  // The broker said no: a refusal by type that no repetition heals.
  const isRefusal = typeof type === 'string' && retriable === false && !['OUT_OF_ORDER_SEQUENCE_NUMBER', 'DUPLICATE_SEQUENCE_NUMBER', 'UNKNOWN_PRODUCER_ID', 'INVALID_PRODUCER_EPOCH'].includes(type)
  const outcome = isWrite ? (isRefusal ? 'not-applied' : 'unknown') : undefined
  const code = type === 'MESSAGE_TOO_LARGE' || type === 'RECORD_LIST_TOO_LARGE' ? 'MSG_TOO_LARGE' : 'MSG_UNAVAILABLE'
  return new MsgStreamError(code, `${what}: ${typeof message === 'string' ? message : String(name)}`, { cause, outcome, retryable: !isRefusal })
}

/** Settles as the work does, or with `MSG_TIMEOUT` after the deadline. */
export function within<T>(work: Promise<T>, clock: Clock, timeoutMs: number, what: string, isWrite: boolean): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const cancel = clock.setTimer(() => reject(new MsgStreamError('MSG_TIMEOUT', `${what}: no answer within ${timeoutMs} ms`, { outcome: isWrite ? 'unknown' : undefined })), timeoutMs)
    work.then(
      (value) => {
        cancel()
        resolve(value)
      },
      (error: unknown) => {
        cancel()
        reject(kafkaError(error, what, isWrite))
      },
    )
  })
}
