/** What the page keeps, fed by the hub's own subscriptions. */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { KeptRows } from 'timetick-insight-web/kept-rows'
import { EVERYTHING } from '../src/access.ts'
import { Layer } from '../src/core/layer.ts'
import type { Kind, Row } from '../src/core/model.ts'
import { Batch } from '../src/hub/batch.ts'
import { Subscription } from '../src/hub/subscription.ts'
import { Interest } from '../src/hub/topics.ts'
import { TestClock } from './clock.ts'

const KINDS: readonly Kind[] = ['client', 'node', 'stream', 'task']
const kind = fc.constantFrom(...KINDS)
const key = fc.constantFrom('a', 'b', 'c')
const row: fc.Arbitrary<Row> = fc.record({ name: fc.constantFrom('x', 'y'), state: fc.constantFrom('ok', 'lagging', 'finished'), reason: fc.constantFrom('why', null), staged: fc.constantFrom({ rows: 1 }, { rows: 2 }, null), lagMs: fc.nat(3), type: fc.constantFrom('flush', 'load') })
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ op: fc.constant('upsert' as const), kind, key, row }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('drop' as const), kind, key }) },
  { weight: 6, arbitrary: fc.record({ op: fc.constant('message' as const) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('break' as const) }) },
  { weight: 1, arbitrary: fc.record({ op: fc.constant('wait' as const) }) },
)

test('E1 W1 rows of the page are the layer’s, whatever happens while they are on their way, and however often the connection breaks', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 80 }), async (steps) => {
      const clock = new TestClock()
      // A ring so short that who is slow has to start again.
      const layer = new Layer({ epoch: 'e', clock, ring: { maxEvents: 8 } })
      layer.upsert('node', 'first', { name: 'first' }, 'push')
      const kept = new KeptRows()
      const subscribe = () => new Subscription('small', layer, new Interest(KINDS, undefined, EVERYTHING), kept.resume())
      let subscription = subscribe()
      const receive = (): boolean => {
        const message = subscription.next(new Batch())
        if (message !== undefined) kept.receive(JSON.parse(typeof message === 'string' ? message : message.text) as { t: string })
        return message !== undefined
      }
      for (const one of steps) {
        if (one.op === 'upsert') layer.upsert(one.kind, one.key, one.row, 'push')
        else if (one.op === 'drop') layer.drop(one.kind, one.key, 'push')
        else if (one.op === 'message') receive()
        else if (one.op === 'break') subscription = subscribe()
        else await clock.advance(1500)
      }
      await clock.advance(6000)
      while (receive()) continue
      for (const name of KINDS) expect(Object.fromEntries(kept.rows.get(name) ?? [])).toEqual(Object.fromEntries([...layer.entities(name)].map((entity) => [entity.key, entity.row])))
    }),
    { numRuns: 300 },
  )
})
