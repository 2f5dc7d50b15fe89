/** Whose work an HTTP call is, in simulated time. */
import { describe, expect, it } from 'vitest'
import { createClientOrder } from '../../src/clients/order.ts'
import { createRestSessions, type RestClient } from '../../src/clients/rest-sessions.ts'
import { SimClock } from './sim-clock.ts'

const TTL = 60_000
const signal = new AbortController().signal

function open(maxSessions = 10) {
  const clock = new SimClock()
  const log: string[] = []
  const order = createClientOrder({ maxWaiting: 10 })
  let ids = 0
  const staging = {
    flush: async (client: string) => {
      log.push(`flush ${client}`)
      return 1n
    },
    discard: (client: string) => void log.push(`discard ${client}`),
  }
  const sessions = createRestSessions({ clock, staging, order, ttlMs: TTL, maxSessions, newId: () => `session-${++ids}` })
  const use = (header: string | undefined): RestClient => {
    const client = sessions.claim(header)
    client.release()
    return client
  }
  return { clock, log, order, sessions, use }
}

describe('a call without a session', () => {
  it('is a client of its own, flushed when its work is done and dropped', async () => {
    const { log, sessions } = open()
    const client = sessions.claim(undefined)
    expect(await client.run(async () => 'done', signal)).toBe('done')
    expect(log).toEqual([`flush ${client.client}`])
    client.release()
    client.release()
    expect(log).toEqual([`flush ${client.client}`, `discard ${client.client}`])
    expect(sessions.claim(undefined).client).not.toBe(client.client)
  })

  it('that fails is not flushed', async () => {
    const { log, sessions } = open()
    const client = sessions.claim(undefined)
    await expect(client.run(() => Promise.reject(new Error('no')), signal)).rejects.toThrow('no')
    client.release()
    expect(log).toEqual([`discard ${client.client}`])
  })

  it('whose work goes on after nobody waits for it is dropped when the work ends', async () => {
    const { log, sessions } = open()
    const client = sessions.claim(undefined)
    let end = (): void => undefined
    const running = client.run(() => new Promise<void>((resolve) => (end = resolve)), signal)
    client.release()
    expect(log).toEqual([])
    end()
    await running
    expect(log).toEqual([`flush ${client.client}`, `discard ${client.client}`])
  })
})

describe('a session', () => {
  it('is opened by the header and keeps its client; its calls are not flushed', async () => {
    const { log, sessions, use } = open()
    const first = use('new')
    expect(first.session).toBe('session-1')
    const later = sessions.claim('session-1')
    await later.run(async () => undefined, signal)
    expect(later.client).toBe(first.client)
    expect(log).toEqual([])
    expect(sessions.size).toBe(1)
  })

  it('ends when nobody used it for its time, and not while a call runs', () => {
    const { clock, log, sessions, use } = open()
    const { client } = use('new')
    clock.pass(TTL - 1)
    const running = sessions.claim('session-1')
    clock.pass(10 * TTL)
    running.release()
    clock.pass(TTL - 1)
    expect(log).toEqual([])
    clock.pass(1)
    expect(log).toEqual([`discard ${client}`])
    expect(() => sessions.claim('session-1')).toThrow(/unknown or has ended/)
    expect(clock.timers).toBe(0)
  })

  it('ends when its user says so, after the call', () => {
    const { log, sessions, use } = open()
    const { client } = use('new')
    use('session-1; end')
    expect(log).toEqual([`discard ${client}`])
    expect(sessions.size).toBe(0)
    const { client: short } = use('new;end')
    expect(log).toEqual([`discard ${client}`, `discard ${short}`])
  })

  it('that ended while a call ran is dropped again after it', () => {
    const { log, sessions, use } = open()
    const { client } = use('new')
    const running = sessions.claim('session-1')
    use('session-1; end')
    running.release()
    expect(log).toEqual([`discard ${client}`, `discard ${client}`])
  })

  it.each(['', 'old', 'a b', 'new; keep', 'x'.repeat(65), 'session-1; end; end', '\ud800abcdefgh'])('a header %j is refused', (header) => {
    const { sessions } = open()
    expect(() => sessions.claim(header)).toThrow(/must be "new", or a session's id/)
  })

  it('of two headers is refused, as is one that is not there', () => {
    const { sessions } = open()
    expect(() => sessions.claim(['new', 'new'])).toThrow(/must be "new"/)
    expect(() => sessions.claim('session-9')).toThrow(/unknown or has ended/)
  })

  it('beyond the bound is refused with the rate-limit answer', () => {
    const { sessions, use } = open(2)
    use('new')
    use('new')
    expect(() => sessions.claim('new')).toThrow(expect.objectContaining({ code: 8 }))
  })

  it('orders its calls as they came', async () => {
    const { sessions, order } = open()
    const first = sessions.claim('new')
    const second = sessions.claim('session-1')
    let isIn = false
    const turn = second.ticket?.enter('commit', signal)?.then(() => (isIn = true))
    expect(first.ticket?.enter('stage', signal)).toBeUndefined()
    // A part of the call is done, the call is not.
    first.ticket?.leave()
    await Promise.resolve()
    expect(isIn).toBe(false)
    first.release()
    await turn
    second.release()
    expect(order.size).toBe(0)
  })

  it('all end with the node', () => {
    const { clock, log, sessions, use } = open()
    use('new')
    use('new')
    sessions.close()
    sessions.close()
    expect(log).toHaveLength(2)
    expect(clock.timers).toBe(0)
  })
})
