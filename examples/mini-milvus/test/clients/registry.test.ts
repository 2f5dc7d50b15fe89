/** When a client is there and when it is gone, in simulated time. */
import { describe, expect, it } from 'vitest'
import { noInfo } from '../../src/clients/client.ts'
import { ClientRegistry, type ClientRegistryOptions, CrowdedError, ForeignClientError } from '../../src/clients/registry.ts'
import { seededRandom } from '../e2e/support.ts'
import { SimClock } from './sim-clock.ts'

const GRACE = 1500
const BEATS = 30_000
const LEASE = 3_600_000

function open(more: Partial<ClientRegistryOptions> = {}) {
  const clock = new SimClock()
  const gone: string[] = []
  const registry = new ClientRegistry({ clock, graceMs: GRACE, heartbeatTimeoutMs: BEATS, leaseMs: LEASE, maxClients: 100, holders: () => new Set(), onGone: (key, reason) => gone.push(`${key} ${reason}`), ...more })
  const call = (identifier: string | undefined, peer: string): string => {
    const client = registry.enter(identifier, peer)
    registry.leave(client)
    return client.key
  }
  const connect = (identifier: string, peer: string): void => {
    registry.socketOpened(peer)
    registry.connected(identifier, noInfo, peer)
  }
  return { clock, gone, registry, call, connect }
}

describe('clients by their sockets', () => {
  it('a client whose only socket closed is gone after the grace, not before', () => {
    const { clock, gone, registry, call, connect } = open()
    connect('1', 'a:1')
    expect(call('1', 'a:1')).toBe('1')
    registry.socketClosed('a:1')
    clock.pass(GRACE - 1)
    expect(gone).toEqual([])
    clock.pass(1)
    expect(gone).toEqual(['1 sockets'])
    expect(registry.size).toBe(0)
    registry.close()
    expect(clock.timers).toBe(0)
  })

  it('a client that comes back within the grace is the same', () => {
    const { clock, gone, registry, call, connect } = open()
    connect('1', 'a:1')
    registry.socketClosed('a:1')
    clock.pass(GRACE - 1)
    registry.socketOpened('a:2')
    expect(call('1', 'a:2')).toBe('1')
    clock.pass(10 * GRACE)
    expect(gone).toEqual([])
    registry.socketClosed('a:2')
    clock.pass(GRACE)
    expect(gone).toEqual(['1 sockets'])
  })

  it('a client with several sockets is there until the last of them closed', () => {
    const { clock, gone, registry, call, connect } = open()
    connect('1', 'a:1')
    for (const peer of ['a:2', 'a:3']) {
      registry.socketOpened(peer)
      call('1', peer)
    }
    registry.socketClosed('a:1')
    registry.socketClosed('a:3')
    clock.pass(10 * GRACE)
    expect(gone).toEqual([])
    registry.socketClosed('a:2')
    clock.pass(GRACE)
    expect(gone).toEqual(['1 sockets'])
  })

  it('several clients on one socket go with it', () => {
    const { clock, gone, registry, connect } = open()
    connect('1', 'a:1')
    connect('2', 'a:1')
    registry.socketClosed('a:1')
    clock.pass(GRACE)
    expect(gone.sort()).toEqual(['1 sockets', '2 sockets'])
  })

  it('a stray socket that carries no call keeps nobody', () => {
    const { clock, gone, registry, connect } = open()
    connect('1', 'a:1')
    registry.socketOpened('a:9')
    registry.socketClosed('a:1')
    clock.pass(GRACE)
    expect(gone).toEqual(['1 sockets'])
    expect(registry.socketCount).toBe(1)
  })

  it('a call that outlives its socket holds on to nothing', () => {
    const { clock, gone, call, registry, connect } = open()
    connect('1', 'a:1')
    registry.socketClosed('a:1')
    clock.pass(GRACE)
    const late = call('1', 'a:1')
    expect(late).not.toBe('1')
    expect(call('1', 'unknown')).toBe(late)
    clock.pass(GRACE)
    expect(gone).toEqual(['1 sockets', `${late} sockets`])
  })

  it('without an identifier the socket is the client, and its port belongs to another one later', () => {
    const { clock, gone, registry, call } = open()
    registry.socketOpened('a:1')
    const first = call(undefined, 'a:1')
    expect(call(undefined, 'a:1')).toBe(first)
    registry.socketClosed('a:1')
    clock.pass(GRACE)
    expect(gone).toEqual([`${first} sockets`])
    registry.socketOpened('a:1')
    expect(call(undefined, 'a:1')).not.toBe(first)
  })
})

describe('clients by their signs of life', () => {
  it('a client that sent heartbeats is gone when three are missing, though its socket lives on with another', () => {
    const { clock, gone, registry, call, connect } = open()
    connect('1', 'a:1')
    connect('2', 'a:1')
    for (const name of ['1', '2']) registry.heartbeat(registry.enter(name, 'a:1'))
    for (const { key } of registry.list()) registry.leave(registry.find(key, '') as never)
    for (let beat = 0; beat < 10; beat++) {
      clock.pass(10_000)
      call('2', 'a:1')
    }
    expect(gone).toEqual(['1 heartbeat'])
  })

  it('a client that never sent one is not expected to', () => {
    const { clock, gone, call, connect } = open()
    connect('1', 'a:1')
    call('1', 'a:1')
    clock.pass(LEASE / 2)
    expect(gone).toEqual([])
  })

  it('any call is a sign of life, and a running one', () => {
    const { clock, gone, registry, call, connect } = open()
    connect('1', 'a:1')
    const beat = registry.enter('1', 'a:1')
    registry.heartbeat(beat)
    registry.leave(beat)
    for (let round = 0; round < 10; round++) {
      clock.pass(BEATS - 1000)
      call('1', 'a:1')
    }
    const long = registry.enter('1', 'a:1')
    clock.pass(20 * BEATS)
    expect(gone).toEqual([])
    registry.leave(long)
    clock.pass(2 * BEATS)
    expect(gone).toEqual(['1 heartbeat'])
  })

  it('the lease ends for every client that is silent', () => {
    const { clock, gone, connect } = open()
    connect('1', 'a:1')
    clock.pass(2 * LEASE)
    expect(gone).toEqual(['1 lease'])
    expect(clock.timers).toBe(0)
  })

  it('a process that stood still hears first what is in its buffers', () => {
    const { clock, gone, registry, call, connect } = open()
    connect('1', 'a:1')
    const beat = registry.enter('1', 'a:1')
    registry.heartbeat(beat)
    registry.leave(beat)
    clock.standStill(10 * BEATS)
    expect(gone).toEqual([])
    call('1', 'a:1')
    clock.pass(BEATS / 2)
    expect(gone).toEqual([])
  })
})

describe('clients that come and go', () => {
  it('a dropped identifier is registered again, as another client with an empty stage', () => {
    const { clock, registry, call, connect } = open()
    connect('1', 'a:1')
    registry.socketClosed('a:1')
    clock.pass(GRACE)
    registry.socketOpened('a:2')
    const again = call('1', 'a:2')
    expect(again).not.toBe('1')
    expect(call('1', 'a:2')).toBe(again)
  })

  it('what a call of a client that is gone still does is dropped when it ends', () => {
    const { clock, gone, registry, connect } = open()
    connect('1', 'a:1')
    const running = registry.enter('1', 'a:1')
    registry.socketClosed('a:1')
    clock.pass(GRACE)
    expect(gone).toEqual(['1 sockets'])
    registry.leave(running)
    expect(gone).toEqual(['1 sockets', '1 sockets'])
  })

  it('beyond the bound the most silent client without work makes room; where there is none a new one is refused', () => {
    const held = new Set<string>()
    const { clock, gone, call, connect } = open({ maxClients: 3, holders: () => held })
    for (const name of ['1', '2', '3']) {
      connect(name, `a:${name}`)
      clock.pass(10)
    }
    held.add('1')
    connect('4', 'a:4')
    expect(gone).toEqual(['2 crowded'])
    for (const name of ['3', '4']) held.add(name)
    expect(() => connect('5', 'a:5')).toThrow(CrowdedError)
    expect(() => call('6', 'a:6')).toThrow(CrowdedError)
    expect(call('1', 'a:1')).toBe('1')
  })

  it('another user cannot speak as a client whose identifier it guessed', () => {
    const { registry } = open()
    registry.socketOpened('a:1')
    registry.connected('1', noInfo, 'a:1', 'ann')
    expect(registry.enter('1', 'a:1', 'ann').key).toBe('1')
    expect(() => registry.enter('1', 'b:1', 'bob')).toThrow(ForeignClientError)
    expect(() => registry.enter('1', 'b:1')).toThrow(ForeignClientError)
  })

  it('close drops everybody once, and no timer is left', () => {
    const { clock, gone, registry, call, connect } = open()
    connect('1', 'a:1')
    connect('2', 'a:2')
    registry.socketClosed('a:2')
    registry.close()
    registry.close()
    expect(gone.sort()).toEqual(['1 closing', '2 closing'])
    call('3', 'a:3')
    clock.pass(LEASE * 2)
    expect(registry.size).toBe(0)
    expect(clock.timers).toBe(0)
  })

  it('holds, over random lives, exactly the clients that a model holds', () => {
    const seed = Number(process.env['SEED'] ?? 7)
    const random = seededRandom(seed)
    const pick = (count: number): number => Math.floor(random() * count)
    const { clock, gone, registry, call } = open()
    /** By client: its live sockets, and since when it has none. */
    const model = new Map<string, { sockets: Set<string>; lonelySince: number; seen: number }>()
    const sockets = new Set<string>()
    for (let step = 0; step < 4000; step++) {
      const peer = `a:${pick(6)}`
      const name = String(pick(8))
      const action = pick(10)
      if (action < 2 && !sockets.has(peer)) {
        sockets.add(peer)
        registry.socketOpened(peer)
      } else if (action === 2 && sockets.delete(peer)) {
        registry.socketClosed(peer)
        for (const client of model.values()) if (client.sockets.delete(peer) && client.sockets.size === 0) client.lonelySince = clock.monotonic()
      } else if (action < 6) {
        call(name, peer)
        const client = model.get(name) ?? { sockets: new Set<string>(), lonelySince: clock.monotonic(), seen: 0 }
        if (sockets.has(peer)) client.sockets.add(peer)
        model.set(name, client)
      } else {
        clock.pass(pick(GRACE))
        for (const [key, client] of model) if (client.sockets.size === 0 && clock.monotonic() - client.lonelySince >= GRACE) model.delete(key)
      }
      const known = registry.list().map(({ key }) => key.replace(/~.*/, ''))
      expect({ seed, step, known: known.sort() }).toEqual({ seed, step, known: [...model.keys()].sort() })
    }
    expect(gone.length).toBeGreaterThan(50)
  })
})
