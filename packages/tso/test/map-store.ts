import type { KVEntry } from '@timetick/kv'
import type { TsoStore } from '../src/index.ts'

export interface MapStore extends TsoStore {
  readonly loadEntry: (key: string) => Promise<KVEntry | undefined>
  readonly compareAndSave: (key: string, expected: bigint, value: string, options?: unknown) => Promise<boolean>
  put(key: string, value: string): void
  drop(key: string): void
  value(key: string): string | undefined
  /** How the next calls go, one entry each; later ones are well. */
  readonly plan: Behaviour[]
  /** Lets the held calls go on. */
  release(): void
  readonly saves: () => number
}

/** `lost`: applied, but the answer is an error. `failed`: not applied. `held`: waits for `release`. `hangs`: never answers. */
export type Behaviour = 'well' | 'lost' | 'failed' | 'unknown' | 'held' | 'hangs'

/** The two methods of a KVBase that oracles use, on a map, with failures on request. */
export function mapStore(): MapStore {
  const map = new Map<string, KVEntry>()
  const plan: Behaviour[] = []
  let held: (() => void)[] = []
  let revision = 0n
  let saves = 0
  const put = (key: string, value: string): void => void map.set(key, { key, value, modRevision: ++revision })
  async function behave<T>(run: () => T): Promise<T> {
    const behaviour = plan.shift() ?? 'well'
    if (behaviour === 'failed') throw Object.assign(new Error('store says no'), { outcome: 'not-applied' })
    if (behaviour === 'unknown') throw new Error('store is gone')
    if (behaviour === 'held') await new Promise<void>((resolve) => held.push(resolve))
    if (behaviour === 'hangs') await new Promise(() => undefined)
    const result = run()
    if (behaviour === 'lost') throw Object.assign(new Error('answer lost'), { outcome: 'unknown' })
    return result
  }
  return {
    loadEntry: (key) => behave(() => map.get(key)),
    compareAndSave: (key, expected, value) =>
      behave(() => {
        if ((map.get(key)?.modRevision ?? 0n) !== expected) return false
        put(key, value)
        saves++
        return true
      }),
    put,
    drop: (key) => void map.delete(key),
    value: (key) => map.get(key)?.value,
    plan,
    release() {
      const now = held
      held = []
      for (const resolve of now) resolve()
    },
    saves: () => saves,
  }
}
