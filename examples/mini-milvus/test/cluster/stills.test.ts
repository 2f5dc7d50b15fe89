/** A change of the rule of visibility asks every proxy for staged work, and nobody stages anything until it is done. */
import { createMemoryKV } from '@timetick/kv/memory'
import { createMemoryMq } from '@timetick/msgstream/memory'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { type ClusterMember, openMember } from '../../src/cluster/member.ts'
import { systemClock } from '../../src/edge/system.ts'
import { MemoryNetwork } from '../../src/internal/memory-transport.ts'
import type { Keep, Part } from '../../src/node/core.ts'
import { silentLogger } from '../../src/node/logger.ts'
import { createParameters } from '../../src/node/parameters.ts'
import { RuleChanges } from '../../src/staging/rule-changes.ts'
import { Life } from '../sim/life.ts'
import { SimulatedEngine } from '../sim/sim-engine.ts'
import { SimulatedStorage } from '../sim/sim-storage.ts'
import { World } from '../sim/world.ts'

/** What a proxy has staged, as far as changes of the rule go. */
class Stages extends RuleChanges {
  readonly work = new Set<bigint>()
  hasWork = (id: bigint): boolean => this.work.has(id)
}

interface Proxy {
  readonly member: ClusterMember
  readonly stages: Stages
}

const kv = createMemoryKV()
const cut = new Set<string>()
const network = new MemoryNetwork({ clock: systemClock, delayMs: (from, to) => (cut.has(from) || cut.has(to) ? undefined : 0) })
const parts: Part[] = []
const keep: Keep = async (opening) => {
  const part = await opening
  parts.push(part)
  return part
}

async function proxy(name: string): Promise<Proxy> {
  const parameters = createParameters({})
  parameters.save('cluster.leaseTtl', '1s')
  const stores = { kv, mq: createMemoryMq(), storage: new SimulatedStorage(), close: async () => undefined }
  const engine = new SimulatedEngine(new Life(new World(1)), { write: () => undefined, read: () => undefined })
  const member = await openMember({ stores, engine, parameters, logger: silentLogger, clock: systemClock, transport: network.at(name), roles: ['proxy'], version: '0' }, keep)
  const stages = new Stages()
  member.stills.attach(stages)
  return { member, stages }
}

/** Whether a change sees staged work. */
const sees = ({ member }: Proxy, id: bigint): Promise<boolean> => member.stills.whileStill([id], async () => member.stills.hasStagedWork(id))

describe('a change of the rule, with two proxies', () => {
  let a: Proxy
  let b: Proxy
  beforeEach(async () => {
    a = await proxy('a')
    b = await proxy('b')
  })
  afterEach(async () => {
    cut.clear()
    for (const part of parts.splice(0).reverse()) await part.close()
  })

  it('sees what is staged on each of them, of these collections', async () => {
    expect([await sees(a, 1n), await sees(b, 1n)]).toEqual([false, false])
    b.stages.work.add(1n)
    expect([await sees(a, 1n), await sees(b, 1n), await sees(a, 2n)]).toEqual([true, true, false])
    b.stages.work.clear()
    expect(await sees(a, 1n)).toBe(false)
  })

  it('keeps both waiting until it is done, or has failed', async () => {
    let isWaiting: boolean[] = []
    const look = (): boolean[] => [a, b].map(({ stages }) => stages.settled(1n) !== undefined)
    await a.member.stills.whileStill([1n, 2n], async () => (isWaiting = look()))
    expect(isWaiting).toEqual([true, true])
    await expect.poll(look).toEqual([false, false])
    const failed = b.member.stills.whileStill([1n], () => Promise.reject(new Error('refused')))
    await expect(failed).rejects.toThrow('refused')
    await expect.poll(look).toEqual([false, false])
  })

  it('does not wait for one of the other proxy', async () => {
    const both = await Promise.all([sees(a, 1n), sees(b, 1n), sees(a, 1n)])
    expect(both).toEqual([false, false, false])
  })

  it('is refused while a proxy does not answer, and goes on without one that is gone', async () => {
    cut.add('b')
    await expect(sees(a, 1n)).rejects.toMatchObject({ code: 1, message: expect.stringContaining('a proxy does not say') as string })
    expect(a.stages.settled(1n)).toBeUndefined()
    cut.clear()
    b.stages.work.add(1n)
    for (const part of parts.splice(parts.indexOf(b.member.membership))) await part.close()
    expect(await sees(a, 1n)).toBe(false)
  })

  it('hears nothing of a change that it was told is over', async () => {
    const request = { token: 'x', collectionIds: [1n] }
    await b.member.stills.answer({ ...request, on: true })
    expect(b.stages.settled(1n)).toBeDefined()
    await b.member.stills.answer({ ...request, on: true })
    await b.member.stills.answer({ ...request, on: false })
    await expect.poll(() => b.stages.settled(1n)).toBeUndefined()
    // On its way for long.
    await b.member.stills.answer({ ...request, on: true })
    expect(b.stages.settled(1n)).toBeUndefined()
  })
})
