import { describe, expect, test } from 'vitest'
import { KeptRows } from '../src/kept-rows.ts'

const reset = (epoch: string, seq: number) => ({ t: 'reset', epoch, seq, reason: 'new' })
const rows = (...keys: string[]) => ({ t: 'rows', rows: keys.map((key) => ({ kind: 'client', key, row: { identifier: key } })), more: false })
const connected = (seq: number, key: string) => ({ seq, type: 'client.connected', kind: 'client', key, data: { identifier: key } })
const live = (epoch: string, seq: number) => ({ t: 'live', epoch, seq, replayed: 0 })
const keysOf = (kept: KeptRows) => [...(kept.rows.get('client')?.keys() ?? [])]

function keptOf(...messages: readonly { readonly t: string; readonly [member: string]: unknown }[]): KeptRows {
  const kept = new KeptRows()
  for (const message of messages) kept.receive(message)
  return kept
}

describe('rows that are kept whole', () => {
  test('what happens between the snapshot and `live` is not lost', () => {
    const kept = keptOf(reset('e', 5), rows('a'), { t: 'ev', n: 1, e: [connected(6, 'b')] }, live('e', 6))
    expect(keysOf(kept)).toEqual(['a', 'b'])
    expect(kept.resume()).toEqual({ epoch: 'e', seq: 6 })
  })

  test('a new snapshot takes the place of the old rows when it is whole, and not before', () => {
    const kept = keptOf(reset('e', 5), rows('a'), live('e', 5), reset('f', 1), rows('b'), { t: 'ev', n: 1, e: [connected(2, 'c')] })
    expect(keysOf(kept)).toEqual(['a'])
    kept.receive(live('f', 2))
    expect(keysOf(kept)).toEqual(['b', 'c'])
  })

  test('a snapshot that breaks leaves rows and place as they were, whatever came with it', () => {
    const kept = keptOf(reset('e', 5), rows('a'), live('e', 5), { ...reset('e', 900), reason: 'slow' }, rows('b'), { t: 'ev', n: 1, e: [connected(901, 'c')] }, { t: 'mark', seq: 950 })
    expect(kept.resume()).toEqual({ epoch: 'e', seq: 5 })
    kept.receive(rows('late'))
    kept.receive({ t: 'ev', n: 1, e: [connected(6, 'd')] })
    kept.receive(live('e', 6))
    expect(keysOf(kept)).toEqual(['a', 'd'])
  })

  test('events and marks move the place to go on', () => {
    const kept = keptOf(reset('e', 5), live('e', 5), { t: 'ev', n: 1, e: [connected(6, 'a'), { seq: 8, type: 'client.gone', kind: 'client', key: 'a', data: {} }] })
    expect(keysOf(kept)).toEqual([])
    expect(kept.resume()).toEqual({ epoch: 'e', seq: 8 })
    kept.receive({ t: 'mark', seq: 20 })
    expect(kept.resume()).toEqual({ epoch: 'e', seq: 20 })
  })

  test('a state moves with what came with it; a patch keeps the rest; facts of the source are no rows', () => {
    const kept = keptOf(reset('e', 0), live('e', 0), {
      t: 'ev',
      n: 1,
      e: [
        { seq: 1, type: 'stream.created', kind: 'stream', key: 's', data: { name: 's', state: 'ok', readers: ['a'] } },
        { seq: 2, type: 'timetick.state', kind: 'stream', key: 's', data: { from: 'ok', to: 'lagging', lagMs: 7, reason: 'x' }, changed: ['state', 'lagMs'] },
        { seq: 3, type: 'stream.updated', kind: 'stream', key: 's', data: { more: { deep: 1 } }, changed: ['more'] },
        { seq: 4, type: 'source.state', kind: 'source', key: 'source', data: { from: 'live', to: 'stale' } },
      ],
    })
    expect([...kept.rows].map(([kind, members]) => [kind, Object.fromEntries(members)])).toEqual([['stream', { s: { name: 's', state: 'lagging', readers: ['a'], lagMs: 7, more: { deep: 1 } } }]])
  })
})
