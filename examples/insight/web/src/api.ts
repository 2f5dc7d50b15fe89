/** Calls to the server, relative to where the page lies: `<base>/webui/` beside `<base>/insight/v1/`. */
import type { Row } from './row.ts'

export type { Row }
export interface Listed {
  readonly key: string
  readonly rev: number
  readonly observedAt: number
  readonly row: Row
}
export interface ClusterStatus {
  readonly id: string
  readonly address: string
  readonly state: string
  readonly epoch: string | null
  readonly seq: number
  readonly asOf: number | null
  readonly error: string | null
  readonly counts: Readonly<Record<string, number>>
  readonly canAct: boolean
  readonly canSearch: boolean
}

export const apiBase = new URL('../insight/v1', document.baseURI).href
export const socketUrl = apiBase.replace(/^http/, 'ws') + '/ws'

/** What the server says when it refuses. */
export class ApiError extends Error {
  readonly status: number
  readonly code: string
  constructor(status: number, code: string, message: string) {
    super(message)
    this.status = status
    this.code = code
  }
}

/** Kept for the tab alone. */
export function storedToken(): string | undefined {
  return sessionStorage.getItem('insight-token') ?? undefined
}

export function keepToken(token: string): void {
  sessionStorage.setItem('insight-token', token)
}

export async function call<T>(path: string, body?: unknown): Promise<T> {
  const token = storedToken()
  const answer = await fetch(`${apiBase}${path}`, {
    method: body === undefined ? 'GET' : 'POST',
    headers: { ...(token === undefined ? {} : { authorization: `Bearer ${token}` }), ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  })
  const value = (await answer.json().catch(() => ({}))) as T & { code?: string; message?: string }
  if (!answer.ok) throw new ApiError(answer.status, value.code ?? 'failed', value.message ?? answer.statusText)
  return value
}
