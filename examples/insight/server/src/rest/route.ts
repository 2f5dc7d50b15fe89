/** The form of a route. The table of all is what serves, and what the OpenAPI document is made of. */
import type { Identity, Principal } from '../access.ts'
import type { InsightEvent, Json } from '../core/model.ts'

export interface RestRequest {
  readonly method: string
  /** Below the base path, as sent: `/clusters/dev/collections`. */
  readonly path: string
  readonly query: URLSearchParams
  readonly header: (name: string) => string | undefined
  /** The parsed body; undefined where there is none. */
  readonly body: unknown
  readonly peer: string
  readonly identity: Identity | undefined
  /** Of the identity. */
  readonly principal: Principal | undefined
}

/** A reply that is whole. */
export type Answer =
  | { readonly status: number; readonly body: Json | object; readonly headers?: Readonly<Record<string, string>> | undefined }
  | { readonly status: number; readonly text: string; readonly type: string; readonly headers?: Readonly<Record<string, string>> | undefined }

export type Reply = Answer | { readonly events: EventStream }

/** Server-sent events: what there is now, and what comes. */
export interface EventStream {
  /** The result ends it; it calls `end` itself once the reader may read no more. */
  start(write: (event: { readonly id: string; readonly event?: string | undefined; readonly data: string }) => void, end: () => void): () => void
}

export interface Parameter {
  readonly name: string
  readonly in: 'path' | 'query'
  readonly description: string
  readonly schema: Readonly<Record<string, Json>>
}

export interface Route {
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** With `:name` for a segment. */
  readonly path: string
  readonly summary: string
  readonly parameters?: readonly Parameter[] | undefined
  /** Open to those who have not logged in. */
  readonly isOpen?: boolean | undefined
  /** Changes the cluster: refused unless actions are switched on. */
  readonly isAction?: boolean | undefined
  run(request: RestRequest, params: Readonly<Record<string, string>>): Promise<Reply> | Reply
}

/** A failure as it is told: a stable code, and when to try again. */
export class RestError extends Error {
  override readonly name: string = 'RestError'
  readonly status: number
  readonly code: string
  readonly retryMs: number | undefined
  constructor(status: number, code: string, message: string, retryMs?: number) {
    super(message)
    this.status = status
    this.code = code
    this.retryMs = retryMs
  }
}

export const eventId = (epoch: string, event: Pick<InsightEvent, 'seq'>): string => `${epoch}-${event.seq}`
