/** How each family of routes says yes and no. Codes are Milvus's everywhere; HTTP's status says only what HTTP itself decided. */
import { asMilvusError, Code, type MilvusError, toStatus } from '../server/status.ts'
import type { FamilyName, Reply } from './route.ts'
import { TimeoutError } from './errors.ts'

export interface Answer {
  readonly status: number
  readonly body: object
}

export interface Family {
  /** Whether int64 go out as numbers where `Accept-Type-Allow-Int64` is not said. */
  readonly int64AsNumber: boolean
  done(reply: Reply): object
  failed(error: unknown): Answer
}

/** REST's own code for "who are you" is another one than gRPC's. */
const NOT_AUTHENTICATED = 1800
const TIMED_OUT = 10_001

function known(error: unknown): { readonly code: number; readonly message: string; readonly status: number } {
  if (error instanceof TimeoutError) return { code: TIMED_OUT, message: 'request timeout', status: 408 }
  const milvus = asMilvusError(error)
  if (milvus === undefined) {
    return { code: Code.Unexpected, message: error instanceof Error ? `${error.name}: ${error.message}` : 'internal error', status: 500 }
  }
  if (milvus.code === Code.NotAuthenticated) return { code: NOT_AUTHENTICATED, message: "user hasn't authenticated", status: 401 }
  return { code: milvus.code, message: milvus.message, status: milvus.code === Code.NotPermitted ? 403 : 200 }
}

/** v1 and v2: HTTP 200 for all that was handled, `code` says how it went. */
function enveloped(successCode: number): Family {
  return {
    int64AsNumber: false,
    done: ({ data = {}, topks }) => (successCode === 0 ? { code: 0, cost: 0, data, topks } : { code: successCode, data }),
    failed(error) {
      const { code, message, status } = known(error)
      return { status: status === 500 ? 200 : status, body: { code, message } }
    },
  }
}

/** Codes of what was wrong with the HTTP request itself. */
const isBadRequest = ({ code }: MilvusError): boolean => code >= 1801 && code <= 1806

/** The message itself as JSON, its Status included; what is no message of the RPC is 400, what nobody meant 500 (Milvus 2.2). */
function messages(int64AsNumber: boolean): Family {
  return {
    int64AsNumber,
    done: ({ data = {} }) => data as object,
    failed(error) {
      const { code, message, status } = known(error)
      const milvus = asMilvusError(error)
      if (milvus !== undefined && isBadRequest(milvus)) {
        return { status: 400, body: { error_code: ILLEGAL_ARGUMENT, code, reason: `bad request: ${message}` } }
      }
      return { status, body: { ...toStatus(error), code, reason: message } }
    },
  }
}

const ILLEGAL_ARGUMENT = 5

export const families: Readonly<Record<FamilyName, Family>> = {
  v2: enveloped(0),
  v1: enveloped(200),
  resource: messages(false),
  flat: messages(true),
}
