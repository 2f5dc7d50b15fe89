import { expect, test } from 'vitest'
import { createNode } from '../src/index.ts'
import { graphFromMarbles, mix, VirtualTime } from '../src/testing.ts'
import type { MarbleMsg } from '../src/testing.ts'

const text = `
  // two sources that are apart
  a: x-y~|
  b: -z-w-v
  a -> upper -> join
  b -> join
`

test('a graph in text', async () => {
  const upper = createNode<MarbleMsg>('upper', ([msg]) => ({ timeTick: msg?.timeTick ?? 0n, value: msg?.value.toUpperCase() }))
  const time = new VirtualTime()
  const { graph, lines } = graphFromMarbles(text, { upper }, { clock: time.clock, scheduler: time.scheduler })
  graph.start()
  expect(await time.run(graph.closed)).toBe(undefined)
  expect(lines()).toEqual({ join: ['X~Y~-~', '~z~w-v'] })
})

test('a source that throws', async () => {
  const { graph, lines } = graphFromMarbles('a: xy#\na -> out')
  graph.start()
  expect(await graph.closed).toMatchObject({ code: 'FLOW_SOURCE_FAILED', cause: { message: '"a" fails after tick 2' } })
  // What waits is dropped.
  expect('xy'.startsWith(lines()['out']?.[0] ?? '?')).toBe(true)
})

test.each(['a: x y', 'a ->', 'a', 'a => b'])('%s is no line', (line) => {
  expect(() => graphFromMarbles(line)).toThrow(SyntaxError)
})

test('seeds give interleavings: the same seed the same one, the output always the same', async () => {
  const orders = new Map<number, string>()
  const run = async (seed: number): Promise<string> => {
    const time = new VirtualTime({ seed })
    const calls: string[] = []
    const slow = (name: string) =>
      createNode<MarbleMsg>(name, ([msg]) => {
        calls.push(`${name}${msg?.timeTick}`)
        return time.sleep(mix(name, msg?.timeTick ?? 0n) % 3).then(() => msg)
      }, { maxParallelism: 2 })
    const marbles = 'a: abcdef\na -> left -> join\na -> right -> join'
    const { graph, lines } = graphFromMarbles(marbles, { left: slow('left'), right: slow('right') }, { clock: time.clock, scheduler: time.scheduler })
    graph.start()
    expect(await time.run(graph.closed)).toBe(undefined)
    expect(lines()).toEqual({ join: ['abcdef', 'abcdef'] })
    return calls.join(' ')
  }
  for (let seed = 0; seed < 50; seed++) orders.set(seed, await run(seed))
  for (const [seed, order] of orders) expect(await run(seed)).toBe(order)
  expect(new Set(orders.values()).size).toBeGreaterThan(5)
})
