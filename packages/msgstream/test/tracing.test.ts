import { tracingChannel } from 'node:diagnostics_channel'
import { expect, it } from 'vitest'
import { createTsMsg, openMsgStream } from '../src/index.ts'
import { createMemoryMq } from '../src/memory.ts'

it('tells who watches of each call, and nothing of bodies', async () => {
  const events: string[] = []
  const note = (event: string) => (trace: unknown) => void events.push(`${event} ${JSON.stringify(trace)}`)
  const channel = tracingChannel('timetick:msgstream:produce')
  const subscribers = { start: note('start'), end: note('end'), asyncStart: note('asyncStart'), asyncEnd: note('asyncEnd'), error: (trace: { error?: unknown }) => void events.push(`error ${(trace.error as Error).message}`) }
  const stream = await openMsgStream({ mq: createMemoryMq() })
  await stream.asProducer(['a'])
  channel.subscribe(subscribers)
  await stream.produce({ msgs: [createTsMsg({ type: 400, ts: 1n, hashKeys: [0], body: new TextEncoder().encode('secret') })] })
  await expect(stream.produce({ msgs: [1 as never] })).rejects.toThrow(/expected/)
  channel.unsubscribe(subscribers)
  await stream.close()
  const start = 'start {"backend":"memory","messages":1}'
  expect(events.slice(0, 4)).toEqual([start, start.replace('start', 'end'), start.replace('start', 'asyncStart'), start.replace('start', 'asyncEnd')])
  expect(events[6]).toMatch(/^error expected/)
})
