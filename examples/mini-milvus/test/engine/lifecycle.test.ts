import { describe, expect, test } from 'vitest'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EngineThread } from '../../src/engine/engine-thread.edge.ts'
import { openEngine } from '../../src/engine/index.ts'
import { WorkerPool } from '../../src/engine/pool.ts'
import { resolveWorkerUrl } from '../../src/engine/worker-url.edge.ts'
import { DataType } from '../../src/model/schema.ts'
import { bytesOf, latent } from './vectors.ts'

const DIM = 64
const vectors = latent(20_000, DIM, 1)
const set = { vectors: bytesOf(vectors), rows: 20_000, dim: DIM, type: DataType.FloatVector, metric: 'L2' } as const
const request = { setId: 'a', queries: bytesOf(vectors.subarray(0, DIM)), nq: 1, k: 1 }

describe('the life of an engine', () => {
  test('closing rejects what is under way and what comes after, once for all', async () => {
    const engine = await openEngine({ threads: 2 })
    engine.addSet({ id: 'a', ...set })
    const searches = Array.from({ length: 50 }, () => engine.search(request))
    const outcomes = Promise.allSettled(searches)
    await Promise.all([engine.close(), engine.close()])
    for (const outcome of await outcomes) expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'ENGINE_CLOSED' } })
    await expect(engine.search(request)).rejects.toMatchObject({ code: 'ENGINE_CLOSED' })
    await expect(engine.attachIndex({ setId: 'a', path: 'x', crc32: 0 })).rejects.toMatchObject({ code: 'ENGINE_CLOSED' })
    expect(() => engine.addSet({ id: 'b', ...set })).toThrow(expect.objectContaining({ code: 'ENGINE_CLOSED' }))
    engine.dropSet('a')
    await engine[Symbol.asyncDispose]()
  })

  test('an engine that was never used closes', async () => {
    await (await openEngine()).close()
  })

  test('an abort rejects with its reason, at once, waiting or under way', async () => {
    const engine = await openEngine({ threads: 1 })
    engine.addSet({ id: 'a', ...set })
    const reason = new Error('no more')
    await expect(engine.search({ ...request, signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    const abort = new AbortController()
    const outcomes = Promise.allSettled(Array.from({ length: 10 }, () => engine.search({ ...request, signal: abort.signal })))
    const other = engine.search(request)
    abort.abort(reason)
    for (const outcome of await outcomes) expect(outcome).toMatchObject({ status: 'rejected', reason })
    expect((await other).rows[0]).toBe(0)
    await engine.close()
  })

  test('too many waiting searches are refused', async () => {
    const engine = await openEngine({ threads: 1, maxQueued: 2 })
    engine.addSet({ id: 'a', ...set })
    const outcomes = await Promise.allSettled(Array.from({ length: 8 }, () => engine.search(request)))
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(5)
    for (const outcome of outcomes.slice(5)) expect(outcome).toMatchObject({ reason: { code: 'ENGINE_OVERLOADED', retryable: true } })
    await engine.close()
  })

  test('a worker that dies fails its searches by name, and a fresh one knows the vectors', async () => {
    const url = await resolveWorkerUrl()
    const workers: EngineThread[] = []
    const pool = new WorkerPool(1, 100, () => {
      const worker = new EngineThread(url, { role: 'search' })
      workers.push(worker)
      return worker
    })
    pool.sets.set('a', { set, index: undefined })
    const item = { id: 'a', query: { queries: request.queries, nq: 1, k: 1 } }
    expect((await pool.search([item], [1], undefined))[0]?.rows[0]).toBe(0)
    // Seconds of work, cut off.
    const long = { id: 'a', query: { queries: set.vectors.subarray(0, 4000 * DIM * 4), nq: 4000, k: 1 } }
    const [doomed] = await Promise.allSettled([pool.search([long], [1], undefined), workers[0]?.end()])
    expect(doomed).toMatchObject({ status: 'rejected', reason: { code: 'ENGINE_WORKER_FAILED', retryable: true } })
    expect((await pool.search([item], [1], undefined))[0]?.rows[0]).toBe(0)
    expect(workers).toHaveLength(2)
    await pool.close()
  })

  test('closing in the middle of native searches ends the threads, not the process', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'timetick-engine-'))
    const path = join(folder, 'a.index')
    const rows = 10_000
    const small = { ...set, vectors: set.vectors.subarray(0, rows * DIM * 4), rows }
    const builder = await openEngine({ threads: 1 })
    const { crc32 } = await builder.buildIndex({ ...small, path })
    await builder.close()
    for (let round = 0; round < 8; round++) {
      const engine = await openEngine({ threads: 1 })
      engine.addSet({ id: 'a', ...small })
      await engine.attachIndex({ setId: 'a', path, crc32 })
      const many = { setId: 'a', queries: small.vectors.subarray(0, 1000 * DIM * 4), nq: 1000, k: 1, ef: 64 }
      await engine.search({ ...many, nq: 100, queries: many.queries.subarray(0, 100 * DIM * 4) })
      const cutOff = Promise.allSettled([engine.search(many)])
      await new Promise((resolve) => setTimeout(resolve, 1 + round))
      await engine.close()
      expect((await cutOff)[0]).toMatchObject({ status: 'rejected', reason: { code: 'ENGINE_CLOSED' } })
    }
    await rm(folder, { recursive: true })
  })
})
