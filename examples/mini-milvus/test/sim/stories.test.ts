/** Stories from users (D5, D6, D7, D8, D9, D11, D12) on a simulated node: hours and hanging disks cost nothing there. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, it } from 'vitest'
import { MilvusError } from '../../src/server/status.ts'
import { Cluster } from './cluster.ts'
import { HangingDisk } from './hanging-disk.ts'
import { createRequest, indexRequest, queryRequest, rowsOfQuery, rowsRequest, searchRequest, STRONG } from './requests.ts'
import { NoAnswer } from './sim-node.ts'
import { World } from './world.ts'

const name = 'points'
const HOUR = 3_600_000
const IDLE_HOURS = (process.env['TIMETICK_RING'] ?? 'default') === 'default' ? 24 : 48
const QUIET_HOURS = { ci: 24, soak: 168 }[process.env['TIMETICK_RING'] ?? ''] ?? 4
/** Of story D11. */
const CALLS = 1500
const ROWS_OF_CALL = 200
const MB = 2 ** 20
const ids = (first: number, count: number): number[] => Array.from({ length: count }, (_, index) => first + index)

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** What is alive, with the bytes below buffers. */
function heapMb(): number {
  collect()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return (heapUsed + arrayBuffers) / MB
}

interface Stage {
  readonly world: World
  readonly cluster: Cluster
  readonly disk: HangingDisk
}

/** Runs a story without faults but its own. */
async function tell(settings: Record<string, string>, story: (stage: Stage) => Promise<void>): Promise<void> {
  const world = new World(11)
  world.faults = false
  const disk = new HangingDisk()
  settings['rootCoord.dmlChannelNum'] = '2'
  const cluster = new Cluster(world, settings, (surviving) => ({ ...surviving, disk }))
  let failure: unknown
  await world.until(story({ world, cluster, disk }).catch((error: unknown) => (failure = error)))
  if (failure !== undefined) throw failure
  expect(world.violations).toEqual([])
}

async function startLoaded({ cluster }: Stage): Promise<void> {
  await cluster.start()
  await cluster.node.call('CreateCollection', createRequest(name, 2))
  await cluster.node.call('CreateIndex', indexRequest(name))
  await cluster.node.call('LoadCollection', { collection_name: name })
}

const rowsIn = async ({ cluster }: Stage): Promise<[number, number][]> => rowsOfQuery(await cluster.node.call('Query', queryRequest(name, 'id >= 0', ['id', 'version'], STRONG)))

/** Starts again, and waits until reads are answered. */
async function restart(stage: Stage, how: 'crash' | 'close'): Promise<number> {
  if (how === 'crash') stage.cluster.crash()
  else await stage.cluster.close()
  await stage.cluster.start()
  const since = stage.world.clock.monotonic()
  await eventually(stage.world, () => stage.cluster.node.call('Search', searchRequest(name, [1, 1], 1, STRONG)))
  return stage.world.clock.monotonic() - since
}

async function eventually<T>(world: World, attempt: () => Promise<T>): Promise<T> {
  for (const until = world.clock.monotonic() + 150_000; ; ) {
    try {
      return await attempt()
    } catch (error) {
      if (world.clock.monotonic() > until) throw error
      await world.sleep(50)
    }
  }
}

it('D5: concurrent upserts of the same thousand keys leave one row a key, the last by timestamp, over restarts', { timeout: 120_000 }, () =>
  tell({ 'dataNode.sealIdle': '5s' }, async (stage) => {
    const { world, cluster } = stage
    await startLoaded(stage)
    const last = new Map<number, { ts: bigint; version: number }>()
    /** Without an answer: it may count, and then from some moment on. */
    const doubtful = new Map<number, Set<number>>()
    let version = 0
    for (let round = 0; round < 4; round++) {
      const calls = ids(0, 8).map(async (client) => {
        for (let batch = 0; batch < 4; batch++) {
          const keys = ids(((client * 131 + batch * 197 + round * 61) % 9) * 100, 200).filter((id) => id < 1000)
          const mine = ++version
          try {
            const { timestamp } = await cluster.node.call('Upsert', rowsRequest(name, keys, mine))
            for (const id of keys) if ((last.get(id)?.ts ?? 0n) < timestamp) last.set(id, { ts: timestamp, version: mine })
          } catch (error) {
            if (!(error instanceof NoAnswer)) throw error
            for (const id of keys) doubtful.set(id, (doubtful.get(id) ?? new Set()).add(mine))
            return
          }
        }
      })
      if (round % 2 === 0) await world.sleep(round === 0 ? 30 : 60)
      else await Promise.all(calls)
      const before = restart(stage, round % 2 === 0 ? 'crash' : 'close')
      await Promise.all(calls)
      await before
      const rows = await rowsIn(stage)
      expect(new Set(rows.map(([id]) => id)).size).toBe(rows.length)
      const found = new Map(rows)
      for (const [id, { version: wanted }] of last) if (found.get(id) !== wanted) expect(doubtful.get(id) ?? new Set(), `row ${id} has version ${found.get(id)}, expected ${wanted}`).toContain(found.get(id))
      const count = await cluster.node.call('Query', { ...queryRequest(name, '', ['count(*)'], STRONG) })
      expect(count.fields_data[0]?.scalars?.long_data?.data).toEqual([BigInt(rows.length)])
    }
    expect(last.size).toBe(1000)
  }),
)

it('D6: a flush in every state, and while roles restart, ends within 10 s: done, or refused so that it can be asked again', { timeout: 120_000 }, () =>
  tell({}, async (stage) => {
    const { world, cluster } = stage
    await cluster.start()
    let flushed = 0
    const flush = async (): Promise<unknown> => {
      const since = world.clock.monotonic()
      const answer = await cluster.node.call('Flush', { collection_names: [name] }).then(() => 'done', (error: unknown) => error)
      expect(world.clock.monotonic() - since).toBeLessThan(10_000)
      if (answer === 'done') flushed++
      else expect(answer).toBeInstanceOf(MilvusError)
      return answer
    }
    expect(await flush()).toMatchObject({ code: 100 })
    await cluster.node.call('CreateCollection', createRequest(name, 2))
    expect(await flush()).toBe('done')
    await cluster.node.call('Insert', rowsRequest(name, ids(0, 50), 1))
    expect(await flush()).toBe('done')
    await cluster.node.call('CreateIndex', indexRequest(name))
    await cluster.node.call('LoadCollection', { collection_name: name })
    expect(await flush()).toBe('done')
    const { roles } = cluster.node.core
    for (let round = 0; round < 6; round++) {
      await cluster.node.call('Insert', rowsRequest(name, ids(100 + round * 10, 10), 2))
      if (round % 2 === 0) roles.dataNode.fail(new Error('as if it could do no more'))
      else roles.compactor.fail(new Error('as if it could do no more'))
      await world.sleep(round * 40)
      const answers = await Promise.all([flush(), flush()])
      for (const answer of answers) if (answer instanceof MilvusError) expect(answer.code).toBe(1)
      await eventually(world, async () => expect(await flush()).toBe('done'))
    }
    expect(flushed).toBeGreaterThan(8)
    expect(await rowsIn(stage)).toHaveLength(110)
    await cluster.node.call('ReleaseCollection', { collection_name: name })
    expect(await flush()).toBe('done')
    await cluster.node.call('DropCollection', { collection_name: name })
    expect(await flush()).toMatchObject({ code: 100 })
  }),
)

it(`D7: over ${IDLE_HOURS} idle hours and restarts service time is never zero nor falls, and a search is answered within 5 s of the start`, { timeout: 120_000 }, () => {
  // Ticks come seldom while hours go by, and as they do by default when it is started.
  const settings: Record<string, string> = { 'watchdog.interval': '60s' }
  return tell(settings, async (stage) => {
    const { world, cluster } = stage
    await startLoaded(stage)
    await cluster.node.call('Insert', rowsRequest(name, ids(0, 20), 1))
    const seen = new Map<string, bigint>()
    const look = (): void => {
      const times = cluster.node.core.roles.queryNode.current.serviceTimes()
      expect(times.size).toBe(2)
      for (const [channel, ts] of times) {
        expect(ts).toBeGreaterThan(0n)
        expect(ts).toBeGreaterThanOrEqual(seen.get(channel) ?? 0n)
        seen.set(channel, ts)
        expect(world.clock.now() - Number(ts >> 18n)).toBeLessThan(5 * 60_000)
      }
    }
    for (let hour = 0; hour < IDLE_HOURS; hour += 12) {
      settings['proxy.timeTickInterval'] = '60s'
      await restart(stage, 'close')
      for (let each = 0; each < 12; each++) {
        await world.sleep(HOUR)
        look()
      }
      delete settings['proxy.timeTickInterval']
      expect(await restart(stage, hour % 24 === 0 ? 'crash' : 'close')).toBeLessThan(5000)
      look()
      expect(await rowsIn(stage)).toHaveLength(20)
    }
  })
})

it(`D8, D9: in ${QUIET_HOURS} idle hours a node’s disk does not grow, nor does its memory by 1 MB an hour`, { timeout: 30 * 60_000 }, () =>
  tell({ 'proxy.timeTickInterval': '10s', 'watchdog.interval': '60s', 'dataNode.sealIdle': '60s' }, async (stage) => {
    const { world, cluster, disk } = stage
    await startLoaded(stage)
    await cluster.node.call('Insert', rowsRequest(name, ids(0, 100), 1))
    await cluster.node.call('Flush', { collection_names: [name] })
    const bytes = (): number => disk.paths('/').reduce((sum, path) => sum + (disk.bytes(path)?.length ?? 0), 0)
    const sizes: number[] = []
    const heap: number[] = []
    for (let hour = 1; hour <= QUIET_HOURS; hour++) {
      await world.sleep(HOUR)
      sizes.push(bytes())
      heap.push(heapMb())
    }
    const half = QUIET_HOURS / 2
    const slope = (Math.min(...heap.slice(half)) - Math.min(...heap.slice(0, half))) / half
    expect(slope).toBeLessThan(1)
    // A few segments of the log (8 KB each here) come and go.
    expect(Math.max(...sizes)).toBeLessThan(200_000)
    expect(Math.max(...sizes.slice(half))).toBeLessThanOrEqual(Math.max(...sizes.slice(0, half)) + 32_768)
    expect(await rowsIn(stage)).toHaveLength(100)
  }),
)

it('D11: while the disk does not answer for 60 s under load nothing is acknowledged, memory is bounded, what is too much is refused; then all goes on, also after a restart', { timeout: 120_000 }, () =>
  tell({ 'proxy.maxTaskNum': '128', 'proxy.dmlConcurrency': '128' }, async (stage) => {
    const { world, cluster, disk } = stage
    await startLoaded(stage)
    await cluster.node.call('Insert', rowsRequest(name, ids(0, 20), 1))
    const before = heapMb()
    disk.hang()
    const outcomes = { acknowledged: 0, refused: 0, unanswered: 0 }
    let isHanging = true
    const load = ids(0, CALLS).map(async (call) => {
      await world.sleep((call * 60_000) / CALLS)
      await cluster.node.call('Insert', rowsRequest(name, ids(1000 + call * ROWS_OF_CALL, ROWS_OF_CALL), 2)).then(
        () => isHanging && outcomes.acknowledged++,
        (error: unknown) => {
          if (error instanceof MilvusError) outcomes.refused++
          else if (error instanceof NoAnswer) outcomes.unanswered++
          else throw error
        },
      )
    })
    const heap: number[] = []
    for (let second = 5; second < 60; second += 5) {
      await world.sleep(5000)
      heap.push(heapMb() - before)
    }
    await world.sleep(4900)
    expect(outcomes.acknowledged).toBe(0)
    isHanging = false
    disk.answer()
    await Promise.all(load)
    // At first what runs and what waits grows to its limits, and then no more.
    const most = Math.max(...heap)
    expect(most).toBeLessThan(48)
    expect(Math.max(...heap.slice(5))).toBeLessThan(Math.max(...heap.slice(0, 5)) + 6)
    expect(outcomes.refused).toBeGreaterThan(100)
    expect(outcomes.unanswered + outcomes.refused).toBeGreaterThan(500)
    const first = async (): Promise<[number, number][]> => rowsOfQuery(await cluster.node.call('Query', queryRequest(name, 'id <= 20', ['id', 'version'], STRONG)))
    expect(await eventually(world, first)).toHaveLength(20)
    await cluster.node.call('Insert', rowsRequest(name, [20], 3))
    expect(new Map(await first()).get(20)).toBe(3)
    await restart(stage, 'crash')
    expect(new Map(await first()).get(20)).toBe(3)
    expect(heapMb() - before).toBeLessThan(64)
  }),
)

it('D12: while the object store does not answer for 60 s writes go on; flushes and checkpoints follow within 10 s', { timeout: 120_000 }, () =>
  tell({}, async (stage) => {
    const { world, cluster, disk } = stage
    await startLoaded(stage)
    disk.hang('objects')
    const flushing = cluster.node.call('Flush', { collection_names: [name] }).catch((error: unknown) => error)
    for (let second = 0; second < 60; second++) {
      await cluster.node.call('Insert', rowsRequest(name, [second], 1))
      if (second === 1) void cluster.node.call('Flush', { collection_names: [name] }).catch(() => undefined)
      await world.sleep(1000)
    }
    expect(await rowsIn(stage)).toHaveLength(60)
    disk.answer()
    await flushing
    await world.sleep(10_000)
    await cluster.node.call('Flush', { collection_names: [name] })
    const { catalog } = cluster.node.core
    expect(catalog.segments(catalog.collection('default', name).id).reduce((sum, segment) => sum + segment.rows, 0)).toBe(60)
    await restart(stage, 'crash')
    expect(await rowsIn(stage)).toHaveLength(60)
  }),
)
