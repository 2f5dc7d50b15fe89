import { tracingChannel } from 'node:diagnostics_channel'
import { expect, it } from 'vitest'
import { startTimestampAllocator } from '../src/index.ts'

it('tells who watches of each call, and nothing of what is not asked', async () => {
  const events: string[] = []
  const note = (event: string) => (trace: unknown) => void events.push(`${event} ${JSON.stringify(trace)}`)
  const channel = tracingChannel('timetick:tso:allocate')
  const subscribers = { start: note('start'), end: note('end'), asyncStart: note('asyncStart'), asyncEnd: note('asyncEnd'), error: (trace: { error?: unknown }) => void events.push(`error ${(trace.error as Error).message}`) }
  channel.subscribe(subscribers)
  let isBroken = false
  const source = {
    async getTimestamp(count: number) {
      if (isBroken) throw new Error('no source')
      return { first: 1n, count }
    },
  }
  const allocator = startTimestampAllocator({ source: source as never })
  await Promise.all([allocator.allocOne(), allocator.allocOne()]).catch(() => undefined)
  isBroken = true
  await allocator.allocOne().catch(() => undefined)
  await allocator.close()
  channel.unsubscribe(subscribers)
  expect(events[0]).toBe('start {"count":2}')
  expect(events).toContain('error no source')
})
