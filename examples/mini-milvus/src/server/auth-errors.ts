/** Refusals of the gate. On gRPC they are gRPC's own statuses, as in Milvus; on REST they are HTTP 401 and 403. */
import { Code, MilvusError } from './status.ts'

/** Who calls is unknown: gRPC UNAUTHENTICATED, HTTP 401. */
export class AuthenticationError extends MilvusError {
  override readonly name: string = 'AuthenticationError'

  constructor(reason: string) {
    super(Code.NotAuthenticated, reason)
  }
}

/** Who calls may not do that: gRPC PERMISSION_DENIED, HTTP 403. */
export class PermissionError extends MilvusError {
  override readonly name: string = 'PermissionError'

  constructor(reason: string) {
    super(Code.NotPermitted, reason)
  }
}
