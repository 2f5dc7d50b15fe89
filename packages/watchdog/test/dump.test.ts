import { describe, expect, test } from 'vitest'
import { createHeartbeat } from '../src/index.ts'
import { rig } from './helpers.ts'

async function rest(iterator: AsyncIterator<string>): Promise<string[]> {
  const lines: string[] = []
  for (let result = await iterator.next(); result.done !== true; result = await iterator.next()) lines.push(result.value)
  return lines
}

describe('rule 11: the dump', () => {
  test('one line for each beat, in the order of arrival, unknown ids and repeated beats too', async () => {
    const { dog, beat } = rig()
    const iterator = dog.dumpHeartbeat()[Symbol.asyncIterator]()
    beat('a', 'healthy', { seq: 1 })
    beat('a', 'healthy', { seq: 1 })
    beat('b', 'unhealthy', { incarnation: 2 })
    await dog.close()
    expect(await rest(iterator)).toEqual([
      '{"id":"a","status":"healthy","seq":1}',
      '{"id":"a","status":"healthy","seq":1}',
      '{"id":"b","status":"unhealthy","incarnation":2}',
    ])
  })

  test('a reader that waits gets lines as they come, and the end', async () => {
    const { dog, beat } = rig()
    const iterator = dog.dumpHeartbeat()[Symbol.asyncIterator]()
    const first = iterator.next()
    const second = iterator.next()
    beat('a')
    expect(await first).toEqual({ done: false, value: '{"id":"a","status":"healthy"}' })
    await dog.close()
    expect(await second).toEqual({ done: true, value: undefined })
    expect(await dog.dumpHeartbeat()[Symbol.asyncIterator]().next()).toEqual({ done: true, value: undefined })
  })

  test('a slow reader loses the oldest lines, counted; others lose nothing', async () => {
    const { dog, beat } = rig()
    const slow = dog.dumpHeartbeat({ maxBuffered: 2 })
    const wide = dog.dumpHeartbeat()
    const iterators = [slow[Symbol.asyncIterator](), wide[Symbol.asyncIterator]()] as const
    for (const id of ['a', 'b', 'c', 'd']) beat(id)
    await dog.close()
    expect((await rest(iterators[0])).map((line) => JSON.parse(line).id)).toEqual(['c', 'd'])
    expect((await rest(iterators[1])).length).toBe(4)
    expect([slow.dropped, wide.dropped]).toEqual([2, 0])
  })

  test('a beat that cannot be serialized is counted and judged all the same; line breaks are taken out', async () => {
    const { dog } = rig()
    const dump = dog.dumpHeartbeat()
    const iterator = dump[Symbol.asyncIterator]()
    const status = 'healthy' as const
    dog.putHeartbeat({
      id: 'a',
      status,
      serialize: () => {
        throw new Error('no')
      },
    })
    dog.putHeartbeat({ id: 'a', status, serialize: () => 7 as unknown as string })
    dog.putHeartbeat({ id: 'a', status, serialize: () => 'x'.repeat(70_000) })
    dog.putHeartbeat({ id: 'a', status, serialize: () => 'one\r\ntwo' })
    await dog.close()
    expect(await rest(iterator)).toEqual(['one two'])
    expect(dump.dropped).toBe(3)
    expect([dog.states.orphanBeats, dog.states.invalidBeats]).toEqual([4, 0])
  })

  test('without readers nothing is serialized, and a reader that left keeps nothing', async () => {
    const { dog } = rig()
    let serialized = 0
    const beat = { ...createHeartbeat('a', 'healthy'), serialize: () => String(++serialized) }
    dog.putHeartbeat(beat)
    expect(serialized).toBe(0)
    const iterator = dog.dumpHeartbeat()[Symbol.asyncIterator]()
    dog.putHeartbeat(beat)
    expect(await iterator.return?.()).toEqual({ done: true, value: undefined })
    dog.putHeartbeat(beat)
    expect(serialized).toBe(1)
    expect(await iterator.next()).toEqual({ done: true, value: undefined })
  })
})
