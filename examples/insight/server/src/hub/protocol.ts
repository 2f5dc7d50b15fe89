/** What a page and the hub say to each other over a websocket: JSON texts, subprotocol `insight.v1`. Unknown members are ignored. */
import { isKind, type InsightEvent, type Kind, type Row } from '../core/model.ts'
import type { ListedRow } from '../core/query.ts'

export const SUBPROTOCOL = 'insight.v1'

export const CLOSE = { badMessage: 4400, auth: 4401, forbidden: 4403, helloTimeout: 4408, rate: 4429, tooSlow: 4430, shuttingDown: 4503 } as const

export interface Filter {
  readonly db?: string | undefined
  readonly collId?: string | undefined
}

export interface Hello {
  readonly t: 'hello'
  readonly token?: string | undefined
  readonly ticket?: string | undefined
}
export interface Subscribe {
  readonly t: 'sub'
  readonly id: string
  readonly cluster: string
  /** `collection` or `collection.*`, `load`, … or `*`. */
  readonly topics: readonly string[]
  readonly filter?: Filter | undefined
  readonly from?: { readonly epoch: string; readonly seq: number } | undefined
}
export interface View {
  readonly t: 'view'
  readonly id: string
  readonly cluster: string
  readonly kind: Kind
  readonly q?: string | undefined
  readonly filter?: { readonly db?: string | undefined; readonly collection?: string | undefined; readonly state?: string | undefined } | undefined
  readonly sort?: string | undefined
  readonly order?: 'asc' | 'desc' | undefined
  readonly limit?: number | undefined
  readonly cursor?: string | undefined
}
export type ClientMessage = Hello | Subscribe | View | { readonly t: 'unsub'; readonly id: string } | { readonly t: 'gauges'; readonly id: string; readonly cluster: string } | { readonly t: 'ping'; readonly k?: string | number | undefined }

export type ServerMessage =
  | { readonly t: 'welcome'; readonly v: 1; readonly session: string; readonly server: string; readonly limits: Row; readonly clusters: readonly Row[] }
  | { readonly t: 'reset'; readonly id: string; readonly epoch: string; readonly seq: number; readonly reason: string }
  | { readonly t: 'rows'; readonly id: string; readonly rows: readonly { readonly kind: Kind; readonly key: string; readonly rev: number; readonly row: Row }[]; readonly more: boolean }
  | { readonly t: 'live'; readonly id: string; readonly epoch: string; readonly seq: number; readonly replayed: number }
  | { readonly t: 'ev'; readonly id: string; readonly n: number; readonly e: readonly InsightEvent[] }
  | { readonly t: 'page'; readonly id: string; readonly rows: readonly ListedRow[]; readonly total: number; readonly next: string | null; readonly epoch: string; readonly seq: number }
  | { readonly t: 'patch'; readonly id: string; readonly rows: readonly ListedRow[]; readonly gone: readonly string[] }
  | { readonly t: 'dirty'; readonly id: string; readonly total: number; readonly added: number; readonly removed: number }
  | { readonly t: 'mark'; readonly id: string; readonly seq: number; readonly ts: number }
  | { readonly t: 'err'; readonly id?: string | undefined; readonly code: string; readonly msg: string; readonly retryMs?: number | undefined }
  | { readonly t: 'pong'; readonly k?: string | number | undefined }
  | { readonly t: 'bye'; readonly code: number; readonly retryMs: number }
  | { readonly t: 'g'; readonly id: string; readonly v: readonly (readonly [string, number, number])[] }

/** A message that cannot be understood, and why. */
export class ProtocolError extends Error {
  override readonly name: string = 'ProtocolError'
}

type Members = Readonly<Record<string, unknown>>

export function readMessage(text: string): ClientMessage {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new ProtocolError('expected a JSON text')
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new ProtocolError('expected a JSON object')
  const message = value as Members
  switch (message['t']) {
    case 'hello':
      return { t: 'hello', token: text_(message, 'token', 4096), ticket: text_(message, 'ticket', 4096) }
    case 'sub':
      return { t: 'sub', ...named(message), topics: topicsOf(message), filter: filterOf(message), from: fromOf(message) }
    case 'view':
      return viewOf(message)
    case 'gauges':
      return { t: 'gauges', ...named(message) }
    case 'unsub':
      return { t: 'unsub', id: required(message, 'id', 64) }
    case 'ping':
      return { t: 'ping', k: typeof message['k'] === 'number' ? message['k'] : text_(message, 'k', 64) }
    default:
      throw new ProtocolError('expected `t` to be hello, sub, view, gauges, unsub or ping')
  }
}

function viewOf(message: Members): View {
  const { kind, order, limit } = message
  if (!isKind(kind)) throw new ProtocolError('expected `kind` to be a kind of entity')
  if (order !== undefined && order !== 'asc' && order !== 'desc') throw new ProtocolError('expected `order` to be asc or desc')
  if (limit !== undefined && (!Number.isInteger(limit) || (limit as number) < 1 || (limit as number) > 200)) throw new ProtocolError('expected `limit` to be an integer in 1..200')
  const filter = objectOf(message, 'filter')
  return {
    t: 'view',
    ...named(message),
    kind,
    q: text_(message, 'q', 256),
    filter: filter === undefined ? undefined : { db: text_(filter, 'db', 256), collection: text_(filter, 'collection', 32), state: text_(filter, 'state', 32) },
    sort: text_(message, 'sort', 64),
    order,
    limit: limit as number | undefined,
    cursor: text_(message, 'cursor', 4096),
  }
}

const named = (message: Members) => ({ id: required(message, 'id', 64), cluster: required(message, 'cluster', 64) })

function topicsOf(message: Members): string[] {
  const { topics } = message
  if (!Array.isArray(topics) || topics.length === 0 || topics.length > 64 || !topics.every((topic) => typeof topic === 'string' && /^(\*|[A-Za-z]+(\.[A-Za-z]+|\.\*)?)$/.test(topic))) {
    throw new ProtocolError('expected `topics` to be 1 to 64 names of events, like collection.* or *')
  }
  return topics as string[]
}

function filterOf(message: Members): Filter | undefined {
  const filter = objectOf(message, 'filter')
  return filter === undefined ? undefined : { db: text_(filter, 'db', 256), collId: text_(filter, 'collId', 32) }
}

function fromOf(message: Members): { epoch: string; seq: number } | undefined {
  const from = objectOf(message, 'from')
  if (from === undefined) return undefined
  const { seq } = from
  if (!Number.isSafeInteger(seq) || (seq as number) < 0) throw new ProtocolError('expected `from.seq` to be a number of an event')
  return { epoch: required(from, 'epoch', 64), seq: seq as number }
}

function objectOf(message: Members, name: string): Members | undefined {
  const value = message[name]
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'object' || Array.isArray(value)) throw new ProtocolError(`expected \`${name}\` to be an object`)
  return value as Members
}

function text_(message: Members, name: string, max: number): string | undefined {
  const value = message[name]
  if (value === undefined || value === null) return undefined
  if (typeof value !== 'string' || value.length > max) throw new ProtocolError(`expected \`${name}\` to be a text of at most ${max} characters`)
  return value
}

function required(message: Members, name: string, max: number): string {
  const value = text_(message, name, max)
  if (value === undefined || value === '') throw new ProtocolError(`expected \`${name}\` to be a text of 1 to ${max} characters`)
  return value
}
