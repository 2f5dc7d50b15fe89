/** What runs in every simulation: clients, a follower, pairs that must stay equal, a lease; then peace, then the reckoning. */
import assert from 'node:assert/strict'
import { isKVError, type KVBase, KVError, type Revision } from '../../src/index.ts'
import { KVRecorder } from '../../src/testing.ts'
import { assertLinearizable, runClient } from '../../src/testing/kv-history.ts'
import type { World } from './world.ts'

/** A store whose faults are over once `heal` was called. */
export interface SimulatedStore {
  readonly kv: KVBase
  heal(): void
}

const KEYS = ['k/a', 'k/b', 'k/c']
const LEASE_MS = 2000

const retryable = (error: unknown): boolean => isKVError(error) && (error.retryable || error.code === 'KV_STORAGE_FAILED')

async function untilDone<T>(world: World, act: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await act()
    } catch (error) {
      if (!retryable(error)) throw error
      await world.sleep(20)
    }
  }
}

/** Follows everything as a careful user does. */
class Follower {
  readonly state = new Map<string, string>()
  revision: Revision = 0n
  readonly #world: World
  readonly #kv: KVBase
  readonly #seen = new Set<string>()

  constructor(world: World, kv: KVBase) {
    this.#world = world
    this.#kv = kv
  }

  async run(): Promise<void> {
    await this.#list()
    while (!this.state.has('end')) {
      try {
        for await (const batch of this.#kv.watchWithPrefix('', { from: this.revision + 1n })) {
          for (const event of batch.events) {
            const name = `${event.revision} ${event.key}`
            assert.ok(event.revision > this.revision && event.revision <= batch.revision, `${name} came between ${this.revision} and ${batch.revision}`)
            assert.ok(!this.#seen.has(name), `${name} came twice`)
            this.#seen.add(name)
            assert.equal(event.type === 'put' && event.created, event.type === 'put' && !this.state.has(event.key), `created of ${name}`)
            if (event.type === 'put') this.state.set(event.key, event.value)
            else this.state.delete(event.key)
          }
          this.revision = batch.revision
          this.#world.note('batch', `${batch.revision} ${batch.events.length}`)
          assert.equal(this.state.get('pair/left'), this.state.get('pair/right'), `half of a transaction at ${batch.revision}`)
          if (this.state.has('end')) return
        }
      } catch (error) {
        if (isKVError(error, 'KV_COMPACTED')) {
          this.#world.note('compacted')
          await this.#list()
        } else if (!retryable(error)) throw error
        else this.#world.note('resumed', isKVError(error) ? error.code : '')
        // Sometimes it comes back late.
        await this.#world.sleep(this.#world.chance(0.3) ? 600 : 5)
      }
    }
  }

  async #list(): Promise<void> {
    const page = await untilDone(this.#world, () => this.#kv.loadWithPrefix(''))
    this.#world.note('listed', String(page.revision))
    this.state.clear()
    page.keys.forEach((key, index) => this.state.set(key, page.values[index] ?? ''))
    this.revision = page.revision
    assert.equal(this.state.get('pair/left'), this.state.get('pair/right'), `half of a transaction listed at ${page.revision}`)
  }
}

/** Calls of a client, with pauses and hands that let go. */
function paced(world: World, kv: KVBase): KVBase {
  return new Proxy(kv, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target)
      if (typeof value !== 'function') return value
      return async (...list: unknown[]): Promise<unknown> => {
        await world.sleep(world.between(0, 30))
        try {
          const answer: unknown = await Reflect.apply(value, target, list)
          world.note(String(name))
          return answer
        } catch (error) {
          world.note(`${String(name)} failed`, isKVError(error) ? `${error.code} ${error.outcome ?? ''}` : String(error))
          // A store that failed for good is opened again by the simulation; its writes are as unknown as they say.
          throw retryable(error) ? new KVError('KV_UNAVAILABLE', String(error), { cause: error, outcome: isKVError(error) ? error.outcome : undefined }) : error
        }
      }
    },
  })
}

async function savePairs(world: World, kv: KVBase, rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    await world.sleep(world.between(0, 60))
    const value = `p${round}`
    await kv.multiSave({ 'pair/left': value, 'pair/right': value }).catch((error: unknown) => {
      if (!retryable(error)) throw error
    })
  }
}

/** While a holder's asking is answered, its key is there until the time to live is over. */
async function holdLease(world: World, kv: KVBase): Promise<void> {
  const lease = await untilDone(world, () => kv.grantLease(LEASE_MS))
  let goodUntil = 0
  await untilDone(world, async () => {
    const asked = world.now
    await kv.save('leased', lease.id, { lease })
    goodUntil = asked
  }).catch((error: unknown) => {
    if (!isKVError(error, 'KV_LEASE_NOT_FOUND')) throw error
  })
  for (let round = 0; round < 6; round++) {
    await world.sleep(world.between(100, world.chance(0.2) ? 2600 : 900))
    const asked = world.now
    try {
      await lease.keepAlive()
      goodUntil = asked + lease.ttlMs
    } catch (error) {
      if (!retryable(error) && !isKVError(error, 'KV_LEASE_NOT_FOUND')) throw error
    }
    const isThere = await kv.has('leased').catch(() => undefined)
    if (isThere === false) {
      world.note('lease over')
      assert.ok(world.now >= goodUntil, `the lease was alive until ${goodUntil}, and its key is gone at ${world.now}`)
    }
  }
}

export async function simulate(world: World, { kv, heal }: SimulatedStore, calls = 20): Promise<void> {
  const recorder = new KVRecorder(paced(world, kv))
  const follower = new Follower(world, kv)
  const following = follower.run()
  following.catch(() => undefined)
  const seed = Math.floor(world.random() * 2 ** 31)
  const clients = Array.from({ length: 5 }, (_, name) => runClient(recorder, name, { seed, calls, keys: KEYS }))
  await Promise.race([following.then(() => new Promise<never>(() => undefined)), Promise.all([...clients, savePairs(world, kv, calls), holdLease(world, kv)])])
  heal()
  world.note('peace')
  await world.sleep(LEASE_MS * 4)
  for (const key of KEYS) await untilDone(world, async () => assert.ok((await recorder.call({ kind: 'load', key })) !== undefined || (await kv.loadEntry(key), true)))
  await untilDone(world, () => kv.save('end', '1'))
  await following
  const page = await kv.loadWithPrefix('')
  assert.deepEqual(follower.state, new Map(page.keys.map((key, index) => [key, page.values[index]])), 'what the follower knows')
  assert.ok(!follower.state.has('leased'), 'the lease that nobody keeps alive is over')
  assertLinearizable(recorder, 'history')
  await kv.close()
}
