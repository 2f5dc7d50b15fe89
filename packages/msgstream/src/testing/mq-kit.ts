/** The contract of {@link Mq} as tests: each "Must" of `mq.ts` is one. */
import type { KitOptions } from './kit.ts'
import { tests } from './kit.ts'
import { adminTests } from './mq-admin.ts'
import { broadcastTests } from './mq-broadcast.ts'
import { produceTests } from './mq-produce.ts'
import { readTests } from './mq-read.ts'
import { seekTests } from './mq-seek.ts'
import { transientTests } from './mq-transient.ts'

export function testMq(name: string, options: KitOptions): void {
  const test = tests(options)
  options.runner.describe(`Mq: ${name}`, () => {
    options.runner.describe('producer', () => produceTests(test))
    options.runner.describe('reader', () => readTests(test))
    options.runner.describe('positions', () => seekTests(test))
    options.runner.describe('transient frames', () => transientTests(test))
    options.runner.describe('atomic broadcast', () => broadcastTests(test))
    options.runner.describe('channels', () => adminTests(test, options.reopen !== undefined))
  })
}
