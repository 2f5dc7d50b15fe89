import { afterEach, describe, expect, it } from 'vitest'
import { QueryFleet } from '../../src/cluster/query-fleet.ts'
import type { Directory } from '../../src/cluster/directory.ts'
import type { Member } from '../../src/cluster/membership.ts'
import type { QueryServiceApi } from '../../src/cluster/query-service.ts'

const AWAY_AFTER_MS = 10_000

const memberOf = (nodeId: number): Member => ({ id: `${nodeId}.1`, nodeId: BigInt(nodeId), address: `node-${nodeId}`, roles: ['query'], stopping: false }) as unknown as Member

/** A fleet whose nodes answer or not, and whose every look a test makes. */
function fleetOf(...nodeIds: number[]) {
  const members = new Map(nodeIds.map((id) => [id, memberOf(id)]))
  const deaf = new Set<string>()
  const problems: string[] = []
  const listeners: (() => void)[] = []
  let now = 0
  let changes = 0
  let look = (): void => undefined
  const fleet = new QueryFleet({
    directory: { members: () => [...members.values()], onChange: (listener: () => void) => (listeners.push(listener), () => undefined) } as unknown as Directory,
    apiOf: (address) => ({ holdings: () => (deaf.has(address) ? Promise.reject(new Error('the certificate is not one of ours')) : Promise.resolve({ starts: 0, held: new Map() })) }) as unknown as QueryServiceApi,
    clock: { monotonic: () => now, setTimer: (callback) => ((look = callback), () => undefined) },
    intervalMs: 1_000,
    awayAfterMs: AWAY_AFTER_MS,
    onChange: () => (changes += 1),
    onProblem: (message, error) => problems.push(`${message}: ${String(error)}`),
  })
  return {
    deaf, problems, members, fleet,
    ids: () => fleet.nodes().map(({ nodeId }) => Number(nodeId)),
    changes: () => changes,
    tell: () => listeners.forEach((listener) => listener()),
    async lookAt(ms: number) {
      now = ms
      look()
      for (let i = 0; i < 10; i++) await Promise.resolve()
    },
  }
}

describe('query nodes that do not answer', () => {
  const opened: QueryFleet[] = []
  const open = (...ids: number[]) => {
    const all = fleetOf(...ids)
    opened.push(all.fleet)
    return all
  }
  afterEach(() => opened.splice(0).forEach((fleet) => fleet.close()))

  it('keep their duties for as long as a lease, then others get them, and it is told once', async () => {
    const { ids, deaf, lookAt, problems, changes } = open(1, 2)
    deaf.add('node-2')
    await lookAt(1_000)
    await lookAt(1_000 + AWAY_AFTER_MS - 1)
    expect([ids(), problems, changes()]).toEqual([[1, 2], [], 0])
    await lookAt(1_000 + AWAY_AFTER_MS)
    await lookAt(2_000 + AWAY_AFTER_MS)
    expect([ids(), changes()]).toEqual([[1], 1])
    expect(problems).toEqual([expect.stringContaining('query node 2 at node-2 is registered but does not answer') as string])
    expect(problems[0]).toContain('certificate')
  })

  it('have them again when they answer, and one answer is enough to begin anew', async () => {
    const { ids, deaf, lookAt, changes } = open(1, 2)
    deaf.add('node-2')
    await lookAt(0)
    await lookAt(AWAY_AFTER_MS)
    expect(ids()).toEqual([1])
    deaf.clear()
    await lookAt(AWAY_AFTER_MS + 1_000)
    expect([ids(), changes()]).toEqual([[1, 2], 2])
    deaf.add('node-2')
    await lookAt(AWAY_AFTER_MS + 2_000)
    await lookAt(2 * AWAY_AFTER_MS)
    expect(ids()).toEqual([1, 2])
  })

  it('all stay where none answers: it may be this process that is cut off', async () => {
    const { ids, deaf, lookAt } = open(1, 2)
    for (const address of ['node-1', 'node-2']) deaf.add(address)
    await lookAt(0)
    await lookAt(AWAY_AFTER_MS)
    expect(ids()).toEqual([1, 2])
  })

  it('are forgotten with their session: another life of theirs is not silent', async () => {
    const { ids, deaf, lookAt, members, tell } = open(1, 2)
    deaf.add('node-2')
    await lookAt(0)
    await lookAt(AWAY_AFTER_MS)
    members.set(2, { ...memberOf(2), id: '2.2' })
    tell()
    expect(ids()).toEqual([1, 2])
  })
})
