import { EventEmitter } from 'node:events'
import { describe, expect, it } from 'vitest'
import { limitPerAddress } from '../../src/server/connection-limit.ts'

class FakeSocket extends EventEmitter {
  readonly remoteAddress: string
  constructor(remoteAddress: string) {
    super()
    this.remoteAddress = remoteAddress
  }
  destroy(): this {
    this.emit('close')
    return this
  }
}

describe('connections of one address', () => {
  it('are bounded, and counted again when they end', () => {
    const sockets = new Set<FakeSocket>()
    const take = limitPerAddress(sockets as never, 2) as unknown as (socket: FakeSocket) => boolean
    const [one, two, three] = ['10.0.0.1', '10.0.0.1', '10.0.0.1'].map((address) => new FakeSocket(address)) as [FakeSocket, FakeSocket, FakeSocket]
    expect([take(one), take(two), take(three), take(new FakeSocket('10.0.0.2'))]).toEqual([true, true, false, true])
    expect(sockets.size).toBe(3)
    one.emit('error', new Error('reset'))
    expect([take(new FakeSocket('10.0.0.1')), take(new FakeSocket('10.0.0.1'))]).toEqual([true, false])
    expect(sockets.size).toBe(3)
  })

  it('are not, of this machine itself', () => {
    const take = limitPerAddress(new Set<never>(), 1) as unknown as (socket: FakeSocket) => boolean
    for (const address of ['127.0.0.1', '127.0.0.1', '::1', '::1', '::ffff:127.0.0.1', '::ffff:127.0.0.1']) expect(take(new FakeSocket(address))).toBe(true)
  })
})
