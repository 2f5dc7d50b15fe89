/** The premises of rule `flush` through pymilvus, unmodified: C1 and C2, D_A and D_B, connections that are closed and killed. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestNode, type TestNode } from '../e2e/support.ts'
import { hasPymilvus, type PythonProcess, startPython } from './python.ts'

/** For conditions on a busy machine. */
const slow = { timeout: 20_000 }

describe.skipIf(!hasPymilvus())('pymilvus under rule flush', () => {
  let test: TestNode
  let python: PythonProcess
  let uri: string
  let next = 0
  beforeAll(async () => {
    test = await startTestNode({ inMemory: true, metricsPort: 0, parameters: { 'clients.grace': '300ms' } })
    uri = `http://${test.node.address}`
    python = startPython()
    for (const client of ['C1', 'C2']) await python.ask({ client, do: 'connect', uri, option: { visibility: 'flush' } })
    await python.ask({ client: 'C1', do: 'create' })
  }, 120_000)
  afterAll(async () => {
    await python.kill()
    await test.close()
  })

  const fresh = (): number[] => Array.from({ length: 10 }, () => next++)
  const ask = (client: string, what: string, more: object = {}, process = python) => process.ask({ client, do: what, ...more })
  async function seen(client: string, ids: readonly number[], level?: string): Promise<number> {
    const all = (await ask(client, 'query', level === undefined ? {} : { level })) as number[]
    return all.filter((id) => ids.includes(id)).length
  }
  async function gone(): Promise<number> {
    const text = await (await fetch(`http://${test.node.metricsAddress}/metrics`)).text()
    return Number(/^timetick_clients_gone\{reason="sockets"\} (\d+)/m.exec(text)?.[1] ?? 0)
  }

  it('C1 inserts D_A in I0 at T0 and flushes; its Q1 at T1 sees D_A, and so does C2’s Q2 that comes after it', async () => {
    const D_A = fresh()
    const I0 = await ask('C1', 'insert', { ids: D_A })
    await ask('C1', 'flush')
    const [Q1, Q2] = [await seen('C1', D_A), await seen('C2', D_A, 'Eventually')]
    expect({ I0, Q1, Q2 }).toEqual({ I0: 10, Q1: 10, Q2: 10 })
  })

  it('I0 at T0 without flush; Q1 at T1 does not see D_A; flush at T2; Q3 at T3 does', async () => {
    const D_A = fresh()
    const I0 = await ask('C1', 'insert', { ids: D_A })
    const Q1 = await seen('C1', D_A)
    await ask('C1', 'flush')
    const Q3 = await seen('C1', D_A)
    expect({ I0, Q1, Q3 }).toEqual({ I0: 10, Q1: 0, Q3: 10 })
  })

  it('C1 inserts D_A: nobody sees it before the flush, everybody after it, at every level', async () => {
    const D_A = fresh()
    expect(await ask('C1', 'insert', { ids: D_A })).toBe(10)
    for (const client of ['C1', 'C2']) for (const level of [undefined, 'Strong', 'Session', 'Bounded', 'Eventually']) expect(await seen(client, D_A, level)).toBe(0)
    await ask('C1', 'flush')
    for (const client of ['C1', 'C2']) for (const level of [undefined, 'Strong', 'Session', 'Bounded', 'Eventually']) expect(await seen(client, D_A, level)).toBe(10)
  })

  it('C2’s flush takes nothing of C1 along', async () => {
    const [D_A, D_B] = [fresh(), fresh()]
    await ask('C1', 'insert', { ids: D_A })
    await ask('C2', 'insert', { ids: D_B })
    await ask('C2', 'flush')
    expect([await seen('C1', D_A), await seen('C1', D_B)]).toEqual([0, 10])
    await ask('C1', 'flush')
    expect(await seen('C2', D_A)).toBe(10)
  })

  it.each(['closes', 'is killed'])('C3 inserts D_A, deletes D_B and %s: D_A is gone, D_B is there', async (how) => {
    const other = startPython()
    const [D_A, D_B] = [fresh(), fresh()]
    await ask('C1', 'insert', { ids: D_B })
    await ask('C1', 'flush')
    const before = await gone()
    await ask('C3', 'connect', { uri, option: { visibility: 'flush' } }, other)
    await ask('C3', 'insert', { ids: D_A }, other)
    await ask('C3', 'delete', { ids: D_B }, other)
    if (how === 'closes') await ask('C3', 'close', {}, other)
    else await other.kill()
    await expect.poll(gone, slow).toBe(before + 1)
    await ask('C1', 'flush')
    expect([await seen('C1', D_A), await seen('C1', D_B)]).toEqual([0, 10])
    await other.kill()
  })
})
