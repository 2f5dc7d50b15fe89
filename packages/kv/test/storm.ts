/** Writers and a watcher while connections are cut and the server is killed: what must be true at the end. */
import assert from 'node:assert/strict'
import { isKVError, type KVBase, type Revision } from '../src/index.ts'
import { KVRecorder } from '../src/testing.ts'
import { assertLinearizable, runClient } from '../src/testing/kv-history.ts'
import { randomFrom } from '../src/testing/random.ts'
import { eventually } from '../src/testing/wait.edge.ts'
import { type Proxy, sleep } from './proxy.edge.ts'
import { ring, type Service } from './services.edge.ts'

export interface StormOptions {
  readonly service: Service
  readonly proxy: Proxy
  /** Through the proxy. */
  readonly open: () => Promise<KVBase>
  /** Past it. */
  readonly openDirect: () => Promise<KVBase>
  readonly seed: number
}

const SIZE = ring === 'default' ? { writes: 1500, cuts: 10, kills: 1 } : { writes: 10_000, cuts: 50, kills: 5 }
const WRITERS = 8

/** Follows a prefix as a careful user does: resumes where it can, lists again where it must. */
class Follower {
  readonly state = new Map<string, string>()
  resets = 0
  resumed = 0
  revision: Revision = 0n
  #stopped = false
  readonly #kv: KVBase
  readonly #seen = new Set<string>()

  constructor(kv: KVBase) {
    this.#kv = kv
  }

  async run(): Promise<void> {
    await this.#list()
    while (!this.#stopped) {
      const watch = this.#kv.watchWithPrefix('w/', { from: this.revision + 1n })
      try {
        for await (const batch of watch) {
          if (this.#stopped) return
          for (const event of batch.events) {
            assert.ok(event.revision > this.revision, `revision ${event.revision} came at ${this.revision}`)
            const name = `${event.revision} ${event.key}`
            assert.ok(!this.#seen.has(name), `${name} came twice`)
            this.#seen.add(name)
            if (event.type === 'put') this.state.set(event.key, event.value)
            else this.state.delete(event.key)
          }
          this.revision = batch.revision
        }
      } catch (error) {
        if (isKVError(error, 'KV_COMPACTED')) await this.#list()
        else if (isKVError(error) && error.retryable) this.resumed++
        else throw error
      }
    }
  }

  stop(): void {
    this.#stopped = true
  }

  async #list(): Promise<void> {
    this.resets++
    for (;;) {
      try {
        const page = await this.#kv.loadWithPrefix('w/')
        this.state.clear()
        page.keys.forEach((key, index) => this.state.set(key, page.values[index] ?? ''))
        this.revision = page.revision
        return
      } catch (error) {
        if (!isKVError(error) || !error.retryable) throw error
      }
    }
  }
}

interface Written {
  readonly acknowledged: Map<string, string>
  readonly refused: Set<string>
}

/** At least `count` writes, and until the disturbance is over. */
async function write(kv: KVBase, name: number, count: number, isOver: () => boolean, { acknowledged, refused }: Written): Promise<number> {
  let round = 0
  for (; round < count || !isOver(); round++) {
    await sleep(1)
    const key = `w/${name}/${round}`
    try {
      const isGuarded = round % 4 === 0
      if (isGuarded) assert.equal(await kv.compareAndSave(key, 0n, 'mine'), true, `${key}: nobody else writes it`)
      else await kv.save(key, 'mine')
      acknowledged.set(key, 'mine')
    } catch (error) {
      assert.ok(isKVError(error) && error.retryable && error.outcome !== undefined, String(error))
      if (error.outcome === 'not-applied') refused.add(key)
    }
  }
  return round
}

async function disturb({ proxy, service, seed }: StormOptions): Promise<void> {
  const random = randomFrom(seed)
  const kills = new Set(Array.from({ length: SIZE.kills }, (_, index) => Math.floor(((index + 0.5) * SIZE.cuts) / SIZE.kills)))
  for (let round = 0; round < SIZE.cuts; round++) {
    await sleep(20 + random() * 200)
    if (kills.has(round)) {
      await service.kill()
      await service.restart()
    } else proxy.cut()
  }
}

/** Throws what was not kept. */
export async function storm(options: StormOptions): Promise<string> {
  const kv = await options.open()
  const direct = await options.openDirect()
  const follower = new Follower(kv)
  const recorder = new KVRecorder(kv)
  const written: Written = { acknowledged: new Map(), refused: new Set() }
  let isOver = false
  try {
    const following = follower.run()
    following.catch(() => undefined)
    const disturbing = disturb(options).finally(() => {
      isOver = true
    })
    const writing = Array.from({ length: WRITERS }, (_, name) => write(kv, name, SIZE.writes / WRITERS, () => isOver, written))
    const racing = Array.from({ length: 4 }, (_, name) => runClient(recorder, name, { seed: options.seed, calls: SIZE.writes / 10, keys: ['a', 'b', 'c', 'd', 'e'] }))
    await Promise.all([disturbing, ...racing])
    const total = (await Promise.all(writing)).reduce((sum, count) => sum + count, 0)
    const truth = await direct.loadWithPrefix('w/')
    const state = new Map(truth.keys.map((key, index) => [key, truth.values[index] ?? '']))
    for (const key of written.acknowledged.keys()) assert.ok(state.has(key), `${key} was acknowledged and is not there`)
    for (const key of written.refused) assert.ok(!state.has(key), `${key} was said not to be applied and is there`)
    await Promise.race([following, eventually(async () => follower.state.size === state.size, 20_000, 'the watch to reach the end')])
    assert.deepEqual(follower.state, state)
    assertLinearizable(recorder, `SEED=${options.seed}`)
    follower.stop()
    await direct.save('w/end', 'x')
    await following
    return `${written.acknowledged.size} acknowledged, ${written.refused.size} refused, ${total - written.acknowledged.size - written.refused.size} unknown; resumed ${follower.resumed}, listed ${follower.resets}`
  } finally {
    await kv.close()
    await direct.close()
  }
}

/** A connection over which nothing comes back any more. */
export async function blackHole({ proxy, open }: StormOptions): Promise<void> {
  const kv = await open()
  try {
    await kv.save('a', '1')
    proxy.hold(true)
    const start = performance.now()
    const [load, save, page, guarded] = await Promise.allSettled([kv.load('a'), kv.save('a', '2'), kv.loadWithPrefix(''), kv.compareAndSave('b', 0n, '1')])
    assert.ok(performance.now() - start < 4000, 'within about the deadline')
    for (const result of [load, page]) assert.ok(result.status === 'rejected' && isKVError(result.reason) && result.reason.retryable, String(result.status))
    for (const result of [save, guarded]) assert.ok(result.status === 'rejected' && isKVError(result.reason) && result.reason.outcome === 'unknown')
    proxy.hold(false)
    await eventually(async () => (await kv.load('a').catch(() => undefined)) !== undefined, 10_000, 'the store to answer again')
  } finally {
    proxy.hold(false)
    await kv.close()
  }
}

/** A prefix of 5 MB, while others read single keys. */
export async function bigPrefix(kv: KVBase): Promise<void> {
  try {
    const value = 'v'.repeat(10_000)
    for (let index = 0; index < 500; index += 100) {
      await kv.multiSave(Array.from({ length: 100 }, (_, at): [string, string] => [`big/${String(index + at).padStart(4, '0')}`, value]))
    }
    const reading = kv.loadWithPrefix('big/')
    const small = await kv.load('big/0000')
    assert.equal(small?.length, 10_000)
    const page = await reading
    assert.equal(page.keys.length, 500)
    assert.ok(page.values.every((text) => text === value))
  } finally {
    await kv.close()
  }
}
