import { expect, test } from 'vitest'
import { isWatchdogError, startWatchdog, WatchdogError } from '../src/index.ts'
import type { ActiveComponent, WatchdogOptions } from '../src/index.ts'
import { FakeComponent, rig } from './helpers.ts'

test('bad options are refused', () => {
  const bad: unknown[] = [
    null,
    7,
    { checkIntervalMs: 0 },
    { checkIntervalMs: '1' },
    { timeoutMs: Number.NaN },
    { timeoutMs: 2 ** 31 },
    { checkIntervalMs: 100, timeoutMs: 50 },
    { startupGraceMs: -1 },
    { onEvent: 7 },
    { random: 7 },
    { maxComponents: 0 },
    { restart: null },
    { restart: { maxRestarts: 1.5 } },
    { restart: { jitter: 2 } },
    { restart: { jitter: '0' } },
    { restart: { onCleanFailure: 'panic' } },
    { restart: { maxConcurrent: 0 } },
    { restart: { withinMs: 0 } },
  ]
  for (const options of bad) expect(() => startWatchdog(options as WatchdogOptions), `${JSON.stringify(options)}`).toThrow(/^expected `/)
})

test('bad components and ids are refused', () => {
  const { dog } = rig({ maxComponents: 2 })
  const bad: unknown[] = [null, 7, {}, { id: '' }, { id: '\ud800' }, { id: 'x'.repeat(257) }, { id: 'a', status() {}, clean() {} }]
  for (const component of bad) expect(() => dog.register(component as ActiveComponent)).toThrow(/^expected `component/)
  expect(() => dog.unregister(7 as unknown as string)).toThrow(TypeError)
  expect(() => dog.reset('')).toThrow(RangeError)
  expect(() => dog.dumpHeartbeat({ maxBuffered: 0 })).toThrow(RangeError)
  expect(dog.reset('nobody')).toBe(false)
  dog.register(new FakeComponent('__proto__'))
  dog.register(new FakeComponent('b'))
  expect(() => dog.register(new FakeComponent('c'))).toThrow('2 components are registered')
})

test('errors are recognised across copies and go into JSON', () => {
  const error = new WatchdogError('WATCHDOG_FULL', 'no', { details: { id: 'a' } })
  expect(isWatchdogError(error, 'WATCHDOG_FULL')).toBe(true)
  expect(isWatchdogError({ name: 'WatchdogError', code: 'WATCHDOG_CLOSED' })).toBe(true)
  expect(isWatchdogError(error, 'WATCHDOG_CLOSED')).toBe(false)
  expect(JSON.parse(JSON.stringify(error))).toEqual({
    name: 'WatchdogError',
    code: 'WATCHDOG_FULL',
    message: 'no',
    retryable: false,
    details: { id: 'a' },
  })
})

test('with the system clock it runs and leaves nothing behind', async () => {
  const dog = startWatchdog({ checkIntervalMs: 1, timeoutMs: 5, startupGraceMs: 5 })
  const a = new FakeComponent('a')
  const restarted = new Promise<void>((resolve) => (a.onRestart = () => resolve()))
  dog.register(a)
  await restarted
  await dog.close()
  expect(a.calls).toEqual(['clean 1', 'restart 1'])
})
