import { composeTimestamp } from '@timetick/tso'
import type { Row } from 'timetick-insight/embed'
import { describe, expect, test } from 'vitest'
import { CallBoard } from '../../src/insight/call-board.ts'
import { clientRow, createClientsSeen } from '../../src/insight/clients.ts'
import { TaskBoard } from '../../src/insight/task-board.ts'
import { TsoWatch } from '../../src/insight/tso-watch.ts'
import type { AnyHandler, CallContext } from '../../src/server/handlers.ts'

const call = (more: Partial<CallContext> = {}): CallContext => ({ rpc: 'Search', metadata: new Map(), dbName: 'default', identifier: undefined, client: '', peer: '127.0.0.1:1', signal: new AbortController().signal, deadline: undefined, ...more })
const clockOf = () => ({ time: 0, now: () => 1_700_000_000_000 + clock.time, monotonic: () => clock.time })
let clock = clockOf()
const run = (handler: AnyHandler | undefined, request: object, context: CallContext) => (handler as AnyHandler).run(request as never, context)

describe('the board of calls', () => {
  test('rates and times by method; a call that fails fails on, and is counted', async () => {
    clock = clockOf()
    const board = new CallBoard({ clock, slowMs: () => 1000 })
    const handlers = board.handlers({
      Search: { kind: 'dql', run: async () => ((clock.time += 10), { ok: true }) },
      Query: { kind: 'dql', run: async () => Promise.reject(new Error('no')) },
    })
    for (let i = 0; i < 600; i++) expect(await run(handlers.Search, {}, call())).toEqual({ ok: true })
    await expect(run(handlers.Query, {}, call())).rejects.toThrow('no')
    expect(board.takeRates()).toEqual(new Map([['Search', { calls: 600, errors: 0, p50: 10, p99: 10 }], ['Query', { calls: 1, errors: 1, p50: 0, p99: 0 }]]))
    expect(board.takeRates().size).toBe(0)
  })

  test('slow calls are remembered, so many; flushes while they run', async () => {
    clock = clockOf()
    const board = new CallBoard({ clock, slowMs: () => 100, maxSlow: 3 })
    let open = (): void => undefined
    const gate = new Promise<void>((resolve) => (open = resolve))
    const handlers = board.handlers({
      Search: { kind: 'dql', run: async (request: { ms: number }) => ((clock.time += request.ms), {}) },
      Flush: { kind: 'ddl', run: async () => gate.then(() => ({})) },
    })
    const told: string[] = []
    board.onSlow = ({ collection }, forgotten) => told.push(`${collection} ${forgotten?.collection ?? '-'}`)
    for (const [i, ms] of [99, 100, 200, 300, 400].entries()) await run(handlers.Search, { ms, collection_name: `c${i}` }, call({ metadata: new Map([['traceparent', 't'.repeat(100)]]), identifier: 7n }))
    expect(told).toEqual(['c1 -', 'c2 -', 'c3 -', 'c4 c1'])
    expect(board.slow.map(({ durMs }) => durMs)).toEqual([200, 300, 400])
    expect(board.slow[0]).toMatchObject({ method: 'Search', db: 'default', identifier: 7n, traceId: 't'.repeat(64), isFailed: false })
    const flushing = run(handlers.Flush, { collection_names: ['a', 'b'] }, call())
    expect([...board.flushes]).toMatchObject([{ db: 'default', collections: ['a', 'b'] }])
    open()
    await flushing
    expect([...board.flushes]).toEqual([])
  })
})

test('clients: those with a name, and sockets only while they hold staged work', () => {
  const clock = { now: () => 1_700_000_060_000, monotonic: () => 60_000 }
  const info = { sdkType: 'nodejs', sdkVersion: '3.0', user: 'u', host: 'h' }
  const state = (key: string, kind: 'identifier' | 'socket') => ({ key, kind, info, sockets: 1, running: 0, since: 10_000, lastSeen: 59_000, heartbeats: false })
  const stage = { client: '1.2.3.4:5~1', collectionIds: [7n], rows: 3, deletes: 1, bytes: 100, spilledBytes: 0, since: 1_700_000_050_000 }
  const seen = createClientsSeen({ list: () => [state('449', 'identifier'), state('1.2.3.4:5~1', 'socket'), state('1.2.3.4:6~2', 'socket')] }, { stats: () => [stage] }, clock)
  expect([...seen()].map(clientRow)).toMatchObject([
    { id: '449', name: 'nodejs 3.0', connectedAt: 1_700_000_010_000, lastActive: 1_700_000_050_000, staged: null },
    { id: '1.2.3.4:5~1', staged: { rows: 3, deletes: 1, bytes: 100, spilledBytes: 0, since: 1_700_000_050_000, collections: ['7'] } },
  ])
})

test('tasks run, end, and are forgotten when they are many', () => {
  const board = new TaskBoard()
  const one = (key: string, percent: number) => ({ key, row: { name: key, type: 'load', percent } })
  board.see([one('a', 10), one('b', 20)], 1)
  board.see([one('b', 40)], 2)
  expect(board.rows()).toEqual(new Map([['a', { name: 'a', type: 'load', percent: 100, state: 'finished', endedAt: 2 }], ['b', { name: 'b', type: 'load', percent: 40, state: 'running' }]]))
  board.see([one('a', 1)], 3, new Map([['b', { row: {}, reason: 'no memory' }]]))
  expect(board.rows().get('b')).toEqual({ name: 'b', type: 'load', percent: 40, state: 'failed', reason: 'no memory', endedAt: 3 })
  expect(board.rows().get('a')).toMatchObject({ state: 'running', percent: 1 })
  for (let i = 0; i < 100; i++) board.see([one(`t${i}`, 0)], i)
  expect(board.rows().size).toBe(51)
})

test('E1 a task that began and ended between two looks is told as well, once; what ended before the first look is not', () => {
  const board = new TaskBoard()
  const ends = new Map<string, { row: Row; reason?: string | undefined }>([['old', { row: { name: 'old' }, reason: 'long ago' }]])
  board.see([], 1, ends)
  expect(board.rows().size).toBe(0)
  ends.set('short', { row: { name: 'short', outputs: ['9'] } }).set('torn', { row: { name: 'torn' }, reason: 'no file' })
  board.see([], 2, ends)
  expect([...board.rows().values()].map(({ state }) => state)).toEqual(['running', 'running'])
  for (const now of [3, 4]) {
    board.see([], now, ends)
    expect([...board.rows().values()]).toEqual([{ name: 'short', outputs: ['9'], state: 'finished', percent: 100, endedAt: 3 }, { name: 'torn', state: 'failed', percent: null, endedAt: 3, reason: 'no file' }])
  }
})

test('E1 tso.anomaly: a stall, a step back, a clock that was set back, a window that is used up; each told once, until it is over', () => {
  const watch = new TsoWatch()
  const at = (physicalMs: number): bigint => composeTimestamp(physicalMs)
  const kindOf = (row: Row): unknown => (row['anomaly'] as { readonly kind?: string } | null)?.kind
  const start = 1_700_000_000_000
  expect(kindOf(watch.see(at(start), start, 0, undefined))).toBeUndefined()
  expect(kindOf(watch.see(at(start + 1000), start + 1000, 1000, undefined))).toBeUndefined()
  expect(kindOf(watch.see(at(start + 1000), start + 5000, 5000, undefined))).toBeUndefined()
  const stalled = watch.see(at(start + 1000), start + 6500, 6500, undefined)
  expect(stalled['anomaly']).toEqual({ kind: 'stall', lastTs: String(at(start + 1000)), physicalMs: start + 1000, logical: 0 })
  expect(watch.see(at(start + 1000), start + 7500, 7500, undefined)).toEqual(stalled)
  expect(kindOf(watch.see(at(start + 8000), start + 8000, 8000, undefined))).toBeUndefined()
  expect(kindOf(watch.see(at(start + 7000), start + 9000, 9000, undefined))).toBe('backward')
  expect(kindOf(watch.see(at(start + 10_000), start + 2000, 10_000, undefined))).toBe('clockSkew')
  expect(kindOf(watch.see(at(start + 11_000), start + 11_000, 11_000, 'windowExhausted'))).toBe('windowExhausted')
  expect(kindOf(watch.see(at(start + 12_000), start + 12_000, 12_000, undefined))).toBeUndefined()
})

test('E1 a flush that failed is told as failed, with why', async () => {
  clock = clockOf()
  const board = new CallBoard({ clock, slowMs: () => 1e9 })
  const handlers = board.handlers({ Flush: { kind: 'dml', run: async () => Promise.reject(new Error('the disk is full')) } })
  await expect(run(handlers.Flush, { collection_names: ['orders'] }, call())).rejects.toThrow('the disk is full')
  expect([...board.flushes]).toEqual([])
  expect(board.failedFlushes).toMatchObject([{ id: 'flush-1', collections: ['orders'], reason: 'the disk is full' }])
  const tasks = new TaskBoard()
  tasks.see([{ key: 'default/1/flush-1', row: { name: 'flush orders', type: 'flush' } }], 1000)
  tasks.see([], 2000, new Map([['default/1/flush-1', { row: {}, reason: 'the disk is full' }]]))
  expect([...tasks.rows().values()]).toMatchObject([{ state: 'failed', reason: 'the disk is full' }])
})
