/** Junk for every route: each answers with a code of its family, and nothing is a bug of ours. The seed is printed with a failure. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Param, Route } from '../../src/rest/route.ts'
import { routes } from '../../src/rest/table.ts'
import { seededRandom } from '../e2e/support.ts'
import { openTestNode, type TestNode } from '../server/node.ts'
import { callWithSamples } from './samples.ts'

const ROUNDS = process.env['TIMETICK_RING'] === 'ci' || process.env['TIMETICK_RING'] === 'soak' ? 20 : 3
const SEED = Number(process.env['SEED'] ?? 20_261_121)

/** As JSON text: some of them JavaScript could not write. */
const junk = [
  'null', 'true', 'false', '0', '-1', '1.5', '1e300', '-0', '9223372036854775808', '-99999999999999999999', '12345678901234567890123456789012345678901234567890',
  '""', '" "', '"x"', '"*"', '"\\ud800"', '"\\u0000"', '"__proto__"', '"constructor"', '"toString"', '"1"', '"NaN"', '"Int64"', '"vector"', '"rows"', '"id > 0"', '"{"',
  '[]', '[[]]', '[null]', '[1,"a"]', '["x","x"]', '[[1,2],[3]]', '[[[1]]]', '[{}]', '[1e300,-1e300]',
  '{}', '{"a":1}', '{"__proto__":{"a":1}}', '{"params":[]}', '{"fields":[{}]}', '{"fields":"x"}', '{"name":5}', '{"fields":[{"fieldName":"id","dataType":"toString"}]}', '{"key":{"deep":[{}]}}',
  `"${'y'.repeat(70_000)}"`, `[${'1,'.repeat(3000)}1]`, `${'['.repeat(70)}${']'.repeat(70)}`,
]

let node: TestNode
beforeAll(async () => {
  node = await openTestNode()
  const rows = { collectionName: 'rows', dimension: 2, properties: {} }
  await fetch(`http://${node.address}/v2/vectordb/collections/create`, { method: 'POST', body: JSON.stringify(rows) })
}, 60_000)
afterAll(() => node.close())

async function send({ method, path }: Route, values: readonly (readonly [Param, string])[]): Promise<{ status: number; text: string }> {
  const plain = (text: string): string => (text.startsWith('"') ? Buffer.from(JSON.parse(text) as string).toString() : text).slice(0, 300)
  const given = new Map(values.map(([param, text]) => [param.name, text]))
  const real = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(plain(given.get(name) ?? 'rows')) || 'rows')
  const query = values.filter(([param]) => param.in === 'query').map(([{ name }, text]) => `${name}=${encodeURIComponent(plain(text))}`)
  const body = `{${values.filter(([param]) => param.in === 'body').map(([{ name }, text]) => `${JSON.stringify(name)}:${text}`).join(',')}}`
  const response = await fetch(`http://${node.address}${real}${query.length > 0 ? `?${query.join('&')}` : ''}`, { method, ...(method === 'GET' ? {} : { body }) })
  return { status: response.status, text: await response.text() }
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

describe('junk over REST', () => {
  it(`is answered on every route (seed ${SEED})`, { timeout: 200_000 }, async () => {
    const random = seededRandom(SEED)
    const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T
    for (let round = 0; round < ROUNDS; round++) {
      for (const route of routes) {
        // Often the collection is there, so that what comes after it is reached.
        const values = route.params
          .filter(({ required }) => required || random() < 0.4)
          .map((param) => [param, /^collection_?names?$/i.test(param.name) && random() < 0.7 ? '"rows"' : pick(junk)] as const)
        const seen = node.log.length
        const { status, text } = await send(route, values)
        const said = values.map(([{ name }, value]) => `${name}=${value.slice(0, 60)}`).join(' ')
        const where = `seed ${SEED} round ${round}: ${route.method} ${route.path} ${said}`
        expect([where, status, [200, 400, 404].includes(status)]).toEqual([where, status, true])
        expect([where, isJson(text)]).toEqual([where, true])
        expect([where, node.log.slice(seen)]).toEqual([where, []])
        expect([where, /TypeError|RangeError|Cannot read|is not a function/.exec(text)?.[0]]).toEqual([where, undefined])
      }
    }
    expect(({} as { a?: number }).a).toBeUndefined()
  })

  it('leaves the node as it was: good calls go on', async () => {
    const list = routes.find(({ path }) => path === '/v2/vectordb/databases/list') as Route
    expect(await callWithSamples(node.address, list)).toMatchObject({ status: 200, body: { code: 0 } })
  })
})
