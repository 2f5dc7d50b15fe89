import { tracingChannel } from 'node:diagnostics_channel'
import { expect, it } from 'vitest'
import { createMemoryKV } from '../src/memory.ts'

it('tells who watches of each call, and nothing of keys and values', async () => {
  const events: string[] = []
  const note = (event: string) => (trace: unknown) => void events.push(`${event} ${JSON.stringify(trace)}`)
  const channel = tracingChannel('timetick:kv:save')
  const subscribers = { start: note('start'), end: note('end'), asyncStart: note('asyncStart'), asyncEnd: note('asyncEnd'), error: (trace: { error?: unknown }) => void events.push(`error ${(trace.error as Error).message}`) }
  const kv = createMemoryKV()
  await kv.save('before', 'x')
  channel.subscribe(subscribers)
  await kv.save('secret-key', 'secret-value')
  await kv.close()
  await expect(kv.save('a', 'b')).rejects.toThrow(/closed/)
  channel.unsubscribe(subscribers)
  expect(events[0]).toBe('start {"backend":"memory","isWrite":true,"keys":1}')
  expect(events.at(-1)?.startsWith('error')).toBe(false)
  expect(events.join()).not.toContain('secret')
})
