import { describe, expect, it } from 'vitest'
import { dispatchBytes } from '../../src/server/dispatch.ts'
import { allowAll, type CallContext, type HandlerTable } from '../../src/server/handlers.ts'
import { methods } from '../../src/wire/index.ts'

describe('a request', () => {
  it.each([
    { megabytes: 1, expected: ['decode', 'run'] },
    { megabytes: 3, expected: ['decode', 'pause', 'run'] },
  ])('of $megabytes MB is read and run with a pause between only where it is large', async ({ megabytes, expected }) => {
    const events: string[] = []
    const handlers: HandlerTable = {
      Insert: {
        kind: 'dml',
        decode: () => {
          events.push('decode')
          return {}
        },
        run: async () => {
          events.push('run')
          return {}
        },
      },
    }
    const method = methods.find(({ name }) => name === 'Insert')
    if (method === undefined) throw new Error('no Insert')
    const info: Omit<CallContext, 'rpc' | 'dbName' | 'principal'> = { metadata: new Map(), identifier: undefined, peer: '', client: 'test', signal: new AbortController().signal, deadline: undefined }
    const clock = { yieldToLoop: async () => void events.push('pause') }
    await dispatchBytes({ handlers, authorize: allowAll, clock }, method, new Uint8Array(megabytes * 1024 * 1024), info)
    expect(events).toEqual(expected)
  })
})
