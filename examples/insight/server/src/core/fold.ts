/** Replays events over rows: what a client does with what it is sent. */
import { effectOf } from './catalogue.ts'
import { applyPatch } from './merge-patch.ts'
import type { InsightEvent, Row } from './model.ts'

/** The row after the event; undefined when it is gone. */
export function foldRow(row: Row | undefined, event: Pick<InsightEvent, 'type' | 'data' | 'changed'>): Row | undefined {
  const { data } = event
  switch (effectOf(event.type, event.changed !== undefined)) {
    case 'set':
      return data
    case 'drop':
      return undefined
    case 'state': {
      const { from: _from, to = null, reason: _reason, ...more } = data
      return applyPatch(row ?? {}, { ...more, state: to })
    }
    case 'name':
      return applyPatch(row ?? {}, { name: data['to'] ?? null })
    case 'patch':
      return applyPatch(row ?? {}, data)
  }
}

/** Applies an event to rows by kind and key, `kind\nkey`. */
export function foldInto(rows: Map<string, Row>, event: InsightEvent): void {
  if (event.kind === 'source' || event.kind === 'cache') return
  const id = `${event.kind}\n${event.key}`
  const next = foldRow(rows.get(id), event)
  if (next === undefined) rows.delete(id)
  else rows.set(id, next)
}
