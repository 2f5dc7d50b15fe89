/** The order of one client's calls: who waits for whom, and that nobody waits for ever. */
import { describe, expect, it } from 'vitest'
import { createClientOrder, type OrderClass, type Ticket } from '../../src/clients/order.ts'
import { seededRandom } from '../e2e/support.ts'

const never = new AbortController().signal

/** Enters and gives what has been let in so far, by name. */
function calls(order = createClientOrder({ maxWaiting: 100 })) {
  const started: string[] = []
  const enter = (ticket: Ticket, name: string, kind: OrderClass, signal = never): Promise<void> => {
    const turn = ticket.enter(kind, signal)
    if (turn === undefined) {
      started.push(name)
      return Promise.resolve()
    }
    return turn.then(() => void started.push(name))
  }
  return { order, started, enter, draw: (client = 'c') => order.draw(client) }
}

const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 5; turn++) await Promise.resolve()
}

describe('the order of a client', () => {
  it('writes follow each other, a flush takes all before it along, a read sees the flush', async () => {
    const { started, enter, draw } = calls()
    const [a, b, flush, read] = [draw(), draw(), draw(), draw()]
    void enter(read, 'read', 'read')
    void enter(flush, 'flush', 'commit')
    void enter(b, 'b', 'stage')
    void enter(a, 'a', 'stage')
    await settled()
    expect(started).toEqual(['a'])
    a.leave()
    await settled()
    expect(started).toEqual(['a', 'b'])
    b.leave()
    await settled()
    expect(started).toEqual(['a', 'b', 'flush'])
    flush.leave()
    await settled()
    expect(started).toEqual(['a', 'b', 'flush', 'read'])
  })

  it('reads run side by side, and beside writes, which they cannot see', async () => {
    const { started, enter, draw } = calls()
    void enter(draw(), 'write', 'stage')
    void enter(draw(), 'one', 'read')
    void enter(draw(), 'two', 'read')
    expect(started).toEqual(['write', 'one', 'two'])
  })

  it('a flush waits for the reads before it, which must not see it', async () => {
    const { started, enter, draw } = calls()
    const read = draw()
    const flush = draw()
    void enter(flush, 'flush', 'commit')
    void enter(read, 'read', 'read')
    await settled()
    expect(started).toEqual(['read'])
    read.leave()
    await settled()
    expect(started).toEqual(['read', 'flush'])
  })

  it('while it is not known what an earlier call is, later ones wait; one that has no part is forgotten', async () => {
    const { started, enter, draw } = calls()
    const large = draw()
    void enter(draw(), 'small', 'stage')
    await settled()
    expect(started).toEqual([])
    large.leave()
    await settled()
    expect(started).toEqual(['small'])
  })

  it('other clients wait for nothing', () => {
    const { started, enter, draw } = calls()
    draw('one')
    void enter(draw('two'), 'other', 'commit')
    expect(started).toEqual(['other'])
  })

  it('a call that is cancelled while it waits leaves no hole', async () => {
    const { started, enter, draw, order } = calls()
    const abort = new AbortController()
    const [first, second, third] = [draw(), draw(), draw()]
    void enter(first, 'first', 'stage')
    const waiting = enter(second, 'second', 'commit', abort.signal)
    void enter(third, 'third', 'read')
    abort.abort(new Error('gone'))
    await expect(waiting).rejects.toThrow('gone')
    second.leave()
    await settled()
    expect(started).toEqual(['first', 'third'])
    for (const ticket of [first, third]) ticket.leave()
    expect(order.size).toBe(0)
  })

  it('a call that was cancelled before waits for nobody', async () => {
    const { enter, draw } = calls()
    draw()
    await expect(enter(draw(), 'late', 'stage', AbortSignal.abort(new Error('gone')))).rejects.toThrow('gone')
  })

  it('later steps of a call that may go on may go on', () => {
    const { draw } = calls()
    const ticket = draw()
    expect(ticket.enter('commit', never)).toBeUndefined()
    expect(ticket.enter('stage', never)).toBeUndefined()
    ticket.leave()
    ticket.leave()
    expect(ticket.enter('read', never)).toBeUndefined()
  })

  it('so many wait, and no more', async () => {
    const { enter, draw } = calls(createClientOrder({ maxWaiting: 2 }))
    const first = draw()
    void enter(first, '1', 'stage')
    void enter(draw(), '2', 'stage')
    void enter(draw(), '3', 'stage')
    await expect(enter(draw(), '4', 'stage')).rejects.toMatchObject({ code: 8 })
  })

  it('keeps, over random calls, every promise, and lets everyone in', async () => {
    for (let seed = 1; seed <= 200; seed++) {
      const random = seededRandom(seed)
      const { order, draw } = calls()
      const log: { readonly at: number; readonly kind: OrderClass; start: number; end: number }[] = []
      let time = 0
      const kinds: readonly (OrderClass | 'none')[] = ['stage', 'commit', 'read', 'none']
      const waits: Promise<void>[] = []
      const arrived = Array.from({ length: 25 }, (_, at) => ({ at, ticket: draw(), kind: kinds[Math.floor(random() * 4)] as OrderClass | 'none' }))
      for (const { at, ticket, kind } of [...arrived].sort(() => random() - 0.5)) {
        if (kind === 'none') {
          ticket.leave()
          continue
        }
        const abort = new AbortController()
        if (random() < 0.1) queueMicrotask(() => abort.abort(new Error('gone')))
        const run = async (): Promise<void> => {
          const entry = { at, kind, start: 0, end: 0 }
          try {
            await ticket.enter(kind, abort.signal)
            entry.start = ++time
            log.push(entry)
            for (let turn = Math.floor(random() * 5); turn > 0; turn--) await Promise.resolve()
          } catch (error) {
            expect((error as Error).message).toBe('gone')
          } finally {
            entry.end = ++time
            ticket.leave()
          }
        }
        waits.push(run())
      }
      await Promise.all(waits)
      expect({ seed, left: order.size }).toEqual({ seed, left: 0 })
      for (const a of log) {
        for (const b of log) {
          const mustWait = a.at < b.at && (a.kind === 'commit' || b.kind === 'commit' || (a.kind === 'stage' && b.kind === 'stage'))
          if (mustWait) expect({ seed, a, b, ordered: a.end < b.start }).toEqual({ seed, a, b, ordered: true })
        }
      }
    }
  })
})
