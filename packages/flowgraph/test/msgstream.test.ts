import type { MsgPack, TtMsgStream } from '@timetick/msgstream'
import { expect, expectTypeOf, test } from 'vitest'
import { createNode } from '../src/index.ts'
import { MsgStreamInputNode } from '../src/msgstream.ts'
import type { MsgStreamMsg, PackLike } from '../src/msgstream.ts'
import { Feed, graphOf, until } from './helpers.ts'

interface Pack extends PackLike {
  readonly msgs: readonly string[]
}

function pack(beginTs: bigint, endTs: bigint, ...msgs: readonly string[]): Pack {
  return { beginTs, endTs, msgs, startPositions: [{ channel: 'a', at: beginTs }], endPositions: [{ channel: 'a', at: endTs }] }
}

class Stream extends Feed<Pack> {
  closed = 0

  close(): Promise<void> {
    this.closed++
    this.end()
    return Promise.resolve()
  }
}

function reader(stream: Stream, seen: string[], options?: { closeStream?: boolean }): ReturnType<typeof graphOf> {
  const sink = createNode<MsgStreamMsg<Pack>>(
    'out',
    ([msg]) => void seen.push(`${msg?.pack.beginTs}..${msg?.timeTick} ${msg?.pack.msgs.join(',')}`),
  )
  return graphOf([new MsgStreamInputNode('in', stream, options), sink], [['in', 'out']])
}

test('packs become messages at their endTs, empty ones too; the stream is closed with the graph', async () => {
  const stream = new Stream()
  const seen: string[] = []
  const graph = reader(stream, seen)
  stream.push(pack(0n, 5n, 'x', 'y'), pack(5n, 9n), pack(9n, 12n, 'z'))
  graph.start()
  await until(() => seen.length === 3)
  await graph.close()
  expect(await graph.closed).toBe(undefined)
  expect(seen).toEqual(['0..5 x,y', '5..9 ', '9..12 z'])
  expect([stream.closed, stream.returned]).toEqual([1, 1])
})

test('closeStream: false leaves the stream to its owner', async () => {
  const stream = new Stream()
  const graph = reader(stream, [], { closeStream: false })
  graph.start()
  await until(() => stream.asked === 1)
  await graph.close()
  expect([stream.closed, stream.returned]).toEqual([0, 1])
})

test('a pack that does not rise stops the graph', async () => {
  const stream = new Stream()
  stream.push(pack(0n, 5n), pack(0n, 5n))
  const graph = reader(stream, [])
  graph.start()
  expect(await graph.closed).toMatchObject({ code: 'FLOW_TICK_NOT_RISING' })
  expect(stream.closed).toBe(1)
})

test('a TtMsgStream is such a stream, and its packs keep their type', () => {
  const make = (stream: TtMsgStream): MsgStreamInputNode<MsgPack> => new MsgStreamInputNode('in', stream)
  expectTypeOf(make).returns.toEqualTypeOf<MsgStreamInputNode>()
  expectTypeOf<MsgStreamMsg['pack']>().toEqualTypeOf<MsgPack>()
})
