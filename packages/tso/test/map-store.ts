import type { TsoStore } from '../src/index.ts'

/** The two methods of a KVBase that oracles use, on a map. */
export function mapStore(): TsoStore & { put(key: string, value: string): void; drop(key: string): void; value(key: string): string | undefined } {
  const map = new Map<string, { key: string; value: string; modRevision: bigint }>()
  let revision = 0n
  const put = (key: string, value: string): void => void map.set(key, { key, value, modRevision: ++revision })
  return {
    loadEntry: async (key) => map.get(key),
    compareAndSave: async (key, expected, value) => {
      if ((map.get(key)?.modRevision ?? 0n) !== expected) return false
      put(key, value)
      return true
    },
    put,
    drop: (key) => void map.delete(key),
    value: (key) => map.get(key)?.value,
  }
}
