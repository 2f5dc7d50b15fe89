/**
 * What insight knows: entities of a cluster as plain JSON rows, and the facts that changed them. Ids and timestamps of 64 bits are
 * decimal strings: as numbers they would lose digits.
 */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/** One entity, as shown. Members that change on their own are grouped: `load`, `stats`, `progress`. */
export type Row = { readonly [field: string]: Json }

export const KINDS = ['database', 'collection', 'alias', 'partition', 'index', 'segment', 'channel', 'node', 'watchdog', 'stream', 'task', 'client', 'slowRequest', 'param', 'tso'] as const
export type Kind = (typeof KINDS)[number]

export function isKind(value: unknown): value is Kind {
  return (KINDS as readonly unknown[]).includes(value)
}

export interface Entity {
  readonly kind: Kind
  /** Unique in its kind; what belongs to a collection starts with `db/collectionId/`. */
  readonly key: string
  readonly row: Row
  /** Sequence number of the last change. */
  readonly rev: number
  /** When it was seen last, ms since 1970: a change, or an observation that found nothing new. */
  readonly observedAt: number
}

export type Origin = 'push' | 'poll'

/** A fact after its commit. Replaying events over the rows that they follow gives the same rows again: see `fold`. */
export interface InsightEvent {
  readonly seq: number
  /** ms since 1970. */
  readonly ts: number
  /** `<kind>.<what>`, see the catalogue. */
  readonly type: string
  readonly kind: Kind | 'source' | 'cache'
  readonly key: string
  /** The entity's `rev` after the event. */
  readonly rev: number
  readonly src: Origin
  /** The whole row when it appears, a JSON merge patch (RFC 7396) when it changes, its name when it goes. */
  readonly data: Row
  readonly changed?: readonly string[] | undefined
}

export type SourceState = 'opening' | 'connecting' | 'live' | 'stale' | 'stopping' | 'stopped'

export interface Clock {
  /** Wall time, ms since 1970. */
  now(): number
  /** Calls once after `delayMs`; the result cancels it. Must not keep a process alive. */
  setTimer(callback: () => void, delayMs: number): () => void
}
