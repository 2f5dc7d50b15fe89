/** Failures that only REST has; all others are MilvusError. */
import { MilvusError } from '../server/status.ts'

export const RestCode = {
  InvalidJson: 1801,
  MissingParameter: 1802,
  InvalidParameter: 1803,
  InvalidInsertData: 1804,
  InvalidPrimaryKey: 1806,
} as const

export class RestError extends MilvusError {
  override readonly name: string = 'RestError'
}

export function missing(name: string): RestError {
  return new RestError(RestCode.MissingParameter, `missing required parameters, error: ${name} is required`)
}

export function invalidParameter(name: string, expected: string): RestError {
  return new RestError(RestCode.InvalidParameter, `invalid parameter ${name}: expected ${expected}`)
}

export function badRow(row: number, reason: string): RestError {
  return new RestError(RestCode.InvalidInsertData, `fail to deal the insert data, error: row ${row}: ${reason}`)
}

/** The time that the client gave in `Request-Timeout`, or the port's own, is over. */
export class TimeoutError extends Error {
  override readonly name: string = 'TimeoutError'
}
