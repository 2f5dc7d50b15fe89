import { expect, test } from 'vitest'
import { ChannelStates } from '../../src/insight/channel-states.ts'

test('a channel is as far behind as its slowest reader; its state is told when it changes, with the lag of that moment', () => {
  const states = new ChannelStates()
  const limits = { laggingMs: 5000, stuckMs: 60_000 }
  const see = (a: number, b: number) => states.see(new Map([['p0', new Map([['datanode', a], ['querynode', b]])], ['p1', new Map()]]), limits)
  expect(states.of('p0')).toEqual({ state: 'ok', lagMs: null, thresholdMs: null })
  expect(see(10, 20)).toEqual([])
  expect(see(10, 7000)).toEqual(['p0'])
  expect(states.of('p0')).toEqual({ state: 'lagging', lagMs: 7000, thresholdMs: 5000 })
  expect(see(10, 9000)).toEqual([])
  expect(states.of('p0')).toMatchObject({ lagMs: 7000 })
  expect(see(61_000, 9000)).toEqual(['p0'])
  expect(states.of('p0')).toEqual({ state: 'stuck', lagMs: 61_000, thresholdMs: 60_000 })
  expect(see(1, 1)).toEqual(['p0'])
  expect(states.of('p1')).toMatchObject({ state: 'ok' })
  expect(states.see(new Map(), limits)).toEqual([])
  expect(states.of('p0')).toMatchObject({ state: 'ok' })
})
