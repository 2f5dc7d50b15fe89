/** Messages and cursors of anybody: understood, or refused in words. */
import { fuzz, textNear } from '@timetick/tools/fuzz'
import { describe, it } from 'vitest'
import { Layer } from '../src/core/layer.ts'
import { readMessage } from '../src/hub/protocol.ts'
import { TestClock } from './clock.ts'

const runs = { ci: 20_000, soak: 500_000 }[process.env['TIMETICK_RING'] ?? ''] ?? 1000
const messages = [
  { t: 'hello', token: 'x' },
  { t: 'sub', id: '1', cluster: 'local', topics: ['collection.*', '*'], filter: { db: 'default', collId: '4' }, from: { epoch: 'e', seq: 3 } },
  { t: 'view', id: '2', cluster: 'local', kind: 'collection', q: 'a', filter: { db: 'd', state: 's' }, sort: 'name', order: 'desc', limit: 50, cursor: 'W10' },
  { t: 'unsub', id: '1' },
  { t: 'gauges', id: '3', cluster: 'local' },
  { t: 'ping', k: 7 },
].map((message) => JSON.stringify(message))

describe('reads what nobody meant', { timeout: 300_000 }, () => {
  it('messages of the websocket', () => fuzz(textNear(messages, ['null', '"t"', '1e99', '[]', '{}', 'true']), readMessage, (error) => error instanceof Error && error.name === 'ProtocolError', runs))

  it('cursors', () => {
    const layer = new Layer({ epoch: 'e', clock: new TestClock() })
    for (let i = 0; i < 50; i++) layer.upsert('collection', `default/${i}`, { name: `c${i}`, stats: { rows: String(i) } }, 'push')
    const valid = ['["e","default/7","c7"]', '["e","default/7",null]', '["e","default/7",{"a":[1,"2",true]}]', '["x","k"]']
    const list = (text: string): unknown => layer.query({ kind: 'collection', sort: 'name', limit: 10, cursor: Buffer.from(text).toString('base64url') })
    return fuzz(textNear(valid), list, (error) => error instanceof Error && error.name === 'QueryError', runs)
  })
})
