/**
 * `@timetick/msgstream/testing`: the contracts as tests, for any backend and any runner with `describe` and `it`.
 *
 *     import { describe, it } from 'vitest'
 *     testMq('memory', { runner: { describe, it }, create: () => createMemoryMq() })
 *
 * @module
 */
export { testMq } from './testing/mq-kit.ts'
export { testMsgStream } from './testing/stream-kit.ts'
export type { KitOptions, KitRunner } from './testing/kit.ts'
