import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Aligner, createTsMsg, type AlignerOptions, type MsgPack, type MsgPosition } from '../src/index.ts'
import { OffsetId } from '../src/offset-id.ts'

type Entry = { readonly tick: bigint } | { readonly ts: bigint; readonly id: bigint }

/** A log whose ticks keep their promise: data above the last tick, in any order; ticks that rise, repeat or fall. */
const logOf = (channel: number) =>
  fc.array(fc.record({ tick: fc.boolean(), step: fc.integer({ min: 0, max: 6 }) }), { maxLength: 25 }).map((steps) => {
    let last = 0n
    return steps.map(({ tick, step }, i): Entry => {
      if (!tick) return { ts: last + 1n + BigInt(step) * 2n, id: BigInt(channel * 1000 + i) }
      const value = last + BigInt(step - 2)
      if (value > last) last = value
      return { tick: value < 0n ? 0n : value }
    })
  })
const logsArb = fc.integer({ min: 1, max: 4 }).chain((channels) => fc.tuple(...Array.from({ length: channels }, (_, i) => logOf(i))))

const options = (positions: readonly MsgPosition[], more: Partial<AlignerOptions> = {}): AlignerOptions => ({
  positions, align: 'frontier', late: 'fail', skipEmpty: false, maxMessages: 3, maxBytes: 1 << 20, ...more,
})
const origin = (channels: number): MsgPosition[] => Array.from({ length: channels }, (_, i) => ({ channel: `c${i}`, msgId: undefined, timestamp: 0n }))

const byNumber = (a: bigint, b: bigint): number => Number(a - b)

function offsetOf(position: MsgPosition): number {
  return position.msgId instanceof OffsetId ? position.msgId.offset : 0
}

/** Feed the logs from these positions in an order drawn from `turns`, obeying limits; take packs when `turns` says so or nothing else can be done. */
function run(logs: readonly (readonly Entry[])[], aligner: Aligner, starts: readonly number[], turns: readonly number[]): MsgPack[] {
  const cursors = [...starts]
  const packs: MsgPack[] = []
  const take = (): boolean => {
    const pack = aligner.take()
    if (pack !== undefined) packs.push(pack)
    return pack !== undefined
  }
  for (let step = 0; ; step++) {
    const ready = logs.flatMap((log, i) => ((cursors[i] as number) < log.length && aligner.wants(i) ? [i] : []))
    const turn = turns[step % turns.length] ?? 0
    if (ready.length === 0 || turn % 3 === 0) {
      if (take()) continue
      if (ready.length === 0) break
    }
    const channel = ready[turn % ready.length] as number
    const at = (cursors[channel] as number)++
    const entry = (logs[channel] as readonly Entry[])[at] as Entry
    const id = new OffsetId('memory', at)
    if ('tick' in entry) aligner.pushTick(channel, id, entry.tick)
    else aligner.pushData(channel, id, 10, createTsMsg({ type: 400, ts: entry.ts, id: entry.id }))
  }
  const unread = logs.some((log, i) => (cursors[i] as number) < log.length)
  if (unread) {
    // Only a channel that is ahead may be left standing: the one that holds the frontier back has nothing more.
    const lowest = aligner.channels.reduce((a, b) => (b.tick < a.tick ? b : a))
    const stuck = aligner.channels.filter(({ tick }, i) => tick === lowest.tick && (cursors[i] as number) < (logs[i] as readonly Entry[]).length)
    expect(stuck.map(({ channel }) => channel)).toEqual([])
  }
  return packs
}

const highest = (log: readonly Entry[]): bigint => log.reduce((max, entry) => ('tick' in entry && entry.tick > max ? entry.tick : max), 0n)

/** The model: what lies in (begin, end], channel by channel, in the order of each log. */
function model(logs: readonly (readonly Entry[])[], begin: bigint, end: bigint): bigint[] {
  return logs.flatMap((log) => log.flatMap((entry) => ('ts' in entry && entry.ts > begin && entry.ts <= end ? [entry.id] : [])))
}

describe('aligner against a brute-force model', () => {
  it('packs tile time, hold exactly what lies in them, and reach the lowest of the last ticks', () => {
    fc.assert(
      fc.property(logsArb, fc.array(fc.nat(100), { minLength: 1, maxLength: 30 }), (logs, turns) => {
        const packs = run(logs, new Aligner(options(origin(logs.length))), logs.map(() => 0), turns)
        let end = 0n
        for (const pack of packs) {
          expect(pack.beginTs).toBe(end)
          expect(pack.endTs).toBeGreaterThan(end)
          end = pack.endTs
          expect(pack.msgs.map(({ id }) => id)).toEqual(model(logs, pack.beginTs, pack.endTs))
          expect(pack.startPositions).toHaveLength(logs.length)
          expect(pack.endPositions.map(({ timestamp }) => timestamp)).toEqual(logs.map(() => end))
        }
        expect(end).toBe(logs.map(highest).reduce((a, b) => (a < b ? a : b)))
      }),
      { numRuns: 3000 },
    )
  })

  it('reading on from any end positions gives exactly what follows, from start positions the pack again', () => {
    fc.assert(
      fc.property(logsArb, fc.array(fc.nat(100), { minLength: 1, maxLength: 30 }), fc.nat(), fc.boolean(), (logs, turns, pick, again) => {
        const packs = run(logs, new Aligner(options(origin(logs.length))), logs.map(() => 0), turns)
        if (packs.length === 0) return
        const chosen = packs[pick % packs.length] as MsgPack
        const positions = again ? chosen.startPositions : chosen.endPositions
        const from = again ? chosen.beginTs : chosen.endTs
        const rest = run(logs, new Aligner(options(positions)), positions.map(offsetOf), [...turns].reverse())
        expect(rest.flatMap(({ msgs }) => msgs.map(({ id }) => id)).sort(byNumber)).toEqual(model(logs, from, (packs.at(-1) as MsgPack).endTs).sort(byNumber))
        if (rest[0] !== undefined) expect(rest[0].beginTs).toBe(from)
        expect(rest.at(-1)?.endTs ?? from).toBe((packs.at(-1) as MsgPack).endTs)
      }),
      { numRuns: 3000 },
    )
  })

  it('equal: exactly the ticks that all channels have', () => {
    fc.assert(
      fc.property(logsArb, fc.array(fc.nat(100), { minLength: 1, maxLength: 30 }), (logs, turns) => {
        const packs = run(logs, new Aligner(options(origin(logs.length), { align: 'equal', maxMessages: 1000 })), logs.map(() => 0), turns)
        const rising = logs.map((log) => {
          let last = 0n
          return new Set(log.flatMap((entry) => ('tick' in entry && entry.tick > last ? [(last = entry.tick)] : [])))
        })
        const common = [...(rising[0] ?? [])].filter((tick) => rising.every((ticks) => ticks.has(tick)))
        expect(packs.map(({ endTs }) => endTs)).toEqual(common)
        for (const { msgs, beginTs, endTs } of packs) expect(msgs.map(({ id }) => id)).toEqual(model(logs, beginTs, endTs))
      }),
      { numRuns: 2000 },
    )
  })
})

describe('aligner where promises are broken', () => {
  /** Data and ticks of any time, in any order; at last a tick behind everything. */
  const wildLog = (channel: number) =>
    fc.array(fc.record({ tick: fc.boolean(), at: fc.integer({ min: 0, max: 40 }) }), { maxLength: 25 }).map((steps) => [
      ...steps.map(({ tick, at }, i): Entry => (tick ? { tick: BigInt(at) } : { ts: BigInt(at) + 1n, id: BigInt(channel * 1000 + i) })),
      { tick: 100n },
    ])
  const wildLogs = fc.integer({ min: 1, max: 4 }).chain((channels) => fc.tuple(...Array.from({ length: channels }, (_, i) => wildLog(i))))

  it.each([false, true])('late data and channels that are left out for a while (%s): each message once, marked exactly when it is late, packs tile', (excludes) => {
    fc.assert(
      fc.property(wildLogs, fc.array(fc.nat(1000), { minLength: 1, maxLength: 40 }), (logs, turns) => {
        const aligner = new Aligner(options(origin(logs.length), { late: 'deliver', maxMessages: 1000 }))
        const cursors = logs.map(() => 0)
        const packs: MsgPack[] = []
        for (let step = 0; cursors.some((at, i) => at < (logs[i]?.length ?? 0)); step++) {
          const turn = turns[step % turns.length] as number
          const ready = [...logs.keys()].filter((i) => (cursors[i] ?? 0) < (logs[i]?.length ?? 0))
          const channel = ready[(turn + step) % ready.length] as number
          if (excludes && turn % 7 === 0) aligner.exclude(channel, turn % 2 === 0)
          const pack = turn % 3 === 0 ? aligner.take() : undefined
          if (pack !== undefined) packs.push(pack)
          const entry = logs[channel]?.[cursors[channel] ?? 0]
          if (entry === undefined) continue
          const id = new OffsetId('memory', cursors[channel] ?? 0)
          cursors[channel] = id.offset + 1
          if ('tick' in entry) aligner.pushTick(channel, id, entry.tick)
          else aligner.pushData(channel, id, 10, createTsMsg({ type: 400, ts: entry.ts, id: entry.id }))
        }
        for (const i of logs.keys()) aligner.exclude(i, false)
        for (let pack = aligner.take(); pack !== undefined; pack = aligner.take()) packs.push(pack)
        let end = 0n
        for (const { beginTs, endTs, msgs } of packs) {
          expect(beginTs).toBe(end)
          end = endTs
          for (const { endTs: ts, late } of msgs) {
            expect(ts).toBeLessThanOrEqual(endTs)
            expect(late === true).toBe(ts <= beginTs)
          }
        }
        const delivered = packs.flatMap(({ msgs }) => msgs.map(({ id }) => id)).sort(byNumber)
        const written = logs.flatMap((log) => log.flatMap((entry) => ('ts' in entry ? [entry.id] : []))).sort(byNumber)
        expect(new Set(delivered).size).toBe(delivered.length)
        if (!excludes) expect([end, delivered]).toEqual([100n, written])
        else expect(written).toEqual(expect.arrayContaining(delivered))
      }),
      { numRuns: 2000 },
    )
  })
})

describe('aligner', () => {
  const data = (aligner: Aligner, channel: number, at: number, ts: bigint) => aligner.pushData(channel, new OffsetId('memory', at), 10, createTsMsg({ type: 400, ts }))
  const tick = (aligner: Aligner, channel: number, at: number, ts: bigint) => aligner.pushTick(channel, new OffsetId('memory', at), ts)

  it('pauses a channel that is ahead at its limit, never the one that is behind', () => {
    const aligner = new Aligner(options(origin(2), { maxMessages: 2 }))
    tick(aligner, 0, 0, 10n)
    for (let i = 1; i <= 5; i++) data(aligner, 0, i, 10n + BigInt(i))
    for (let i = 0; i < 5; i++) data(aligner, 1, i, 1n + BigInt(i))
    expect([aligner.wants(0), aligner.wants(1)]).toEqual([false, true])
    tick(aligner, 1, 5, 20n)
    expect([aligner.wants(0), aligner.wants(1)]).toEqual([false, false])
    expect(aligner.take()?.msgs).toHaveLength(5)
    expect([aligner.wants(0), aligner.wants(1)]).toEqual([true, true])
  })

  it('bytes are a limit too', () => {
    const aligner = new Aligner(options(origin(2), { maxMessages: 1000, maxBytes: 25 }))
    tick(aligner, 0, 0, 10n)
    for (let i = 1; i <= 3; i++) data(aligner, 0, i, 11n)
    expect(aligner.wants(0)).toBe(false)
    expect(aligner.channels[0]?.bufferedBytes).toBe(30)
  })

  it.each(['deliver', 'drop', 'fail'] as const)('late data: %s', (late) => {
    const aligner = new Aligner(options(origin(1), { late }))
    tick(aligner, 0, 0, 10n)
    aligner.take()
    data(aligner, 0, 1, 7n)
    data(aligner, 0, 2, 12n)
    tick(aligner, 0, 3, 20n)
    if (late === 'fail') expect(() => aligner.take()).toThrow(expect.objectContaining({ code: 'MSG_LATE_DATA' }))
    else expect(aligner.take()?.msgs.map((msg) => [msg.endTs, msg.late])).toEqual(late === 'drop' ? [[12n, undefined]] : [[7n, true], [12n, undefined]])
    expect(aligner.lateCount).toBe(1)
  })

  it('data of a channel that was left out is late where the others went on, though above its own tick', () => {
    const aligner = new Aligner(options(origin(2), { late: 'deliver' }))
    const data = (ts: bigint): void => aligner.pushData(1, new OffsetId('file', Number(ts)), 1, createTsMsg({ type: 400, ts }))
    aligner.pushTick(0, new OffsetId('file', 0), 5n)
    aligner.pushTick(1, new OffsetId('file', 5), 5n)
    data(12n)
    aligner.exclude(1, true)
    aligner.pushTick(0, new OffsetId('file', 1), 10n)
    expect([aligner.take(), aligner.take()].map((pack) => pack?.endTs)).toEqual([5n, 10n])
    data(7n)
    aligner.pushTick(0, new OffsetId('file', 2), 20n)
    expect(aligner.take()?.msgs.map(({ endTs, late }) => [endTs, late])).toEqual([[12n, undefined], [7n, true]])
  })

  it('skipEmpty joins intervals without messages to the next one', () => {
    const aligner = new Aligner(options(origin(1), { skipEmpty: true }))
    tick(aligner, 0, 0, 10n)
    tick(aligner, 0, 1, 20n)
    expect(aligner.take()).toBeUndefined()
    data(aligner, 0, 2, 25n)
    tick(aligner, 0, 3, 30n)
    expect(aligner.take()).toMatchObject({ beginTs: 0n, endTs: 30n, msgs: [{ endTs: 25n }] })
  })

  it('an idle channel beside a slow one takes bounded memory, and nothing is lost by it', () => {
    const aligner = new Aligner(options(origin(2)))
    for (let i = 1; i <= 5000; i++) tick(aligner, 0, i, BigInt(i))
    tick(aligner, 1, 0, 2500n)
    const pack = aligner.take() as MsgPack
    expect(pack.endTs).toBe(2500n)
    const resumed = new Aligner(options(pack.endPositions))
    for (let i = offsetOf(pack.endPositions[0] as MsgPosition); i <= 5000; i++) tick(resumed, 0, i, BigInt(i))
    tick(resumed, 1, 1, 6000n)
    expect(resumed.take()).toMatchObject({ beginTs: 2500n, endTs: 5000n })
  })
})
