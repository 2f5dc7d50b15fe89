import { describe, expect, test } from 'vitest'
import { createKeyedNode, createNode, createWindowNode, SkipTickMsg } from '../src/index.ts'
import type { KeyedMsg, Msg, WindowMsg } from '../src/index.ts'
import { graphOf, input } from './helpers.ts'

interface Rows extends Msg {
  readonly rows: readonly { readonly time: bigint; readonly key: string; readonly n: number }[]
}

const rows = (timeTick: number, ...list: readonly (readonly [time: number, key: string, n: number])[]): Rows => ({
  timeTick: BigInt(timeTick),
  rows: list.map(([time, key, n]) => ({ time: BigInt(time), key, n })),
})

const sum = { items: (msg: Rows) => msg.rows, timeOf: ({ time }: Rows['rows'][number]) => time, init: () => 0, fold: (acc: number, { n }: Rows['rows'][number]) => acc + n }

async function windowsOf(options: { size: bigint; slide?: bigint }, messages: readonly Msg[]): Promise<string[]> {
  const seen: string[] = []
  const out = createNode<WindowMsg<number>>('out', ([msg]) => void seen.push(...(msg?.windows ?? []).map(({ start, end, value }) => `@${msg?.timeTick} (${start},${end}] ${value}`)))
  const graph = graphOf([input('in', messages), createWindowNode('window', { ...sum, ...options }), out], [['in', 'window'], ['window', 'out']])
  graph.start()
  expect(await graph.closed).toBe(undefined)
  return seen
}

describe('windows', () => {
  test('tumbling: closed by the first tick that is not below the end, also by a skip', async () => {
    const messages = [rows(4, [1, 'a', 1], [4, 'a', 2]), rows(12, [10, 'a', 4], [11, 'a', 8]), rows(15), new SkipTickMsg(40n), rows(41, [41, 'a', 1])]
    expect(await windowsOf({ size: 10n }, messages)).toEqual(['@12 (0,10] 7', '@40 (10,20] 8'])
  })

  test('sliding: an item is in size / slide windows', async () => {
    const messages = [rows(7, [5, 'a', 1], [6, 'a', 2]), new SkipTickMsg(30n)]
    expect(await windowsOf({ size: 10n, slide: 5n }, messages)).toEqual(['@7 (-5,5] 1', '@30 (0,10] 3', '@30 (5,15] 2'])
  })

  test('an item outside of its tick fails the tick and changes nothing', () => {
    const node = createWindowNode('window', { ...sum, size: 10n })
    node.operate([rows(5, [5, 'a', 1])])
    const before = node.snapshot(5n)
    expect(() => node.operate([rows(8, [7, 'a', 1], [5, 'a', 1])])).toThrow('a time in (5, 8], got 5')
    expect(() => node.operate([rows(8, [9, 'a', 1])])).toThrow('got 9')
    expect(node.snapshot(5n)).toEqual(before)
  })

  test('state survives a snapshot', () => {
    const first = createWindowNode('window', { ...sum, size: 10n })
    first.operate([rows(5, [5, 'a', 1])])
    const second = createWindowNode('window', { ...sum, size: 10n })
    second.restore(first.snapshot(5n).state ?? '')
    expect(second.operate([rows(10, [6, 'a', 2])])?.windows).toEqual([{ start: 0n, end: 10n, value: 3 }])
  })

  test.each([{ size: 0n }, { size: 10n, slide: 3n }, { size: 10n, slide: 0n }, { size: 5 as unknown as bigint }])('%o is refused', (options) => {
    expect(() => createWindowNode('window', { ...sum, ...options })).toThrow(RangeError)
  })

  test('windows are bounded', () => {
    const node = createWindowNode('window', { ...sum, size: 100n, slide: 1n, maxWindows: 99 })
    expect(() => node.operate([rows(5, [5, 'a', 1])])).toThrow('at most 99 windows, got 100')
  })
})

describe('keyed state', () => {
  const counts = { items: (msg: Rows) => msg.rows, keyOf: ({ key }: Rows['rows'][number]) => key }

  test('touched keys go on with their states; undefined forgets', async () => {
    const seen: unknown[] = []
    const node = createKeyedNode('keyed', { ...counts, reduce: (state: bigint | undefined, { n }) => (n === 0 ? undefined : (state ?? 0n) + BigInt(n)) })
    const out = createNode<KeyedMsg<bigint>>('out', ([msg]) => void seen.push(msg?.entries))
    const messages = [rows(1, [1, 'a', 1], [1, 'b', 2], [1, 'a', 3]), rows(2, [2, 'b', 0]), rows(3, [3, '__proto__', 5])]
    const graph = graphOf([input('in', messages), node, out], [['in', 'keyed'], ['keyed', 'out']])
    graph.start()
    expect(await graph.closed).toBe(undefined)
    expect(seen).toEqual([[['a', 4n], ['b', 2n]], [['b', undefined]], [['__proto__', 5n]]])
    const copy = createKeyedNode('keyed', { ...counts, reduce: (state: bigint | undefined) => state })
    copy.restore(node.snapshot(3n).state ?? '')
    expect([copy.get('a'), copy.get('b'), copy.get('__proto__'), copy.size]).toEqual([4n, undefined, 5n, 2])
  })

  test('keys are bounded, and a tick that fails changes nothing', () => {
    const node = createKeyedNode('keyed', { ...counts, maxKeys: 2, reduce: (state: number | undefined, { n }) => (state ?? 0) + n })
    node.operate([rows(1, [1, 'a', 1])])
    expect(() => node.operate([rows(2, [2, 'a', 1], [2, 'b', 1], [2, 'c', 1])])).toThrow('at most 2 keys, got 3')
    expect([node.get('a'), node.size]).toEqual([1, 1])
  })
})
