/** Stores: the memory store alone, lmdb, etcd and Redis against the raw driver with the same durability. */
import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { serverRows } from '../kv/servers.mjs'
import { inFlight, load, loadName, timeOf } from '../measure.mjs'

const KEYS = 100_000
const VALUE = 'v'.repeat(100)
const keyOf = (i) => `bench/${String(i).padStart(34, '0')}`
const keys = () => Array.from({ length: KEYS }, (_, i) => keyOf(i))
const scratch = () => mkdtempSync(path.join(os.tmpdir(), 'timetick-bench-'))

const memory = async () => ({ createMemoryKV: await loadName('@timetick/kv/memory', 'createMemoryKV'), keys: keys() })

/** Calls in groups of 64, as concurrent callers make them. */
async function grouped(list, call) {
  for (let i = 0; i < list.length; i += 64) {
    const group = []
    for (let j = i; j < Math.min(i + 64, list.length); j += 1) group.push(call(list[j]))
    await Promise.all(group)
  }
}
const perSecond = async (count, work) => (count * 1000) / (await timeOf(work))

async function openBoth() {
  const openLmdbKV = await loadName('@timetick/kv/lmdb', 'openLmdbKV')
  const { open } = await load('lmdb')
  const dirs = [scratch(), scratch()]
  const kv = await openLmdbKV({ path: dirs[0] })
  const raw = open({ path: dirs[1], encoding: 'string', overlappingSync: false })
  return { dirs, kv, raw, next: 0 }
}
async function closeBoth(context) {
  await context?.kv.close()
  await context?.raw.close()
  for (const dir of context?.dirs ?? []) rmSync(dir, { recursive: true, force: true })
}

const PUTS = 4096
const PAGE = 10_000

export const rows = [
  {
    id: 'kv.memory.save', work: '100,000 keys of 40 B, values 100 B, 64 in flight', unit: '/s', goal: { op: '>=', value: 1e6, moonshot: 2e6 },
    open: memory,
    async measure({ createMemoryKV, keys: all }) {
      const kv = createMemoryKV()
      const rate = await perSecond(KEYS, () => grouped(all, (key) => kv.save(key, VALUE)))
      await kv.close()
      return rate
    },
  },
  {
    id: 'kv.memory.load', work: '100,000 keys of 40 B, values 100 B, 64 in flight', unit: '/s', goal: { op: '>=', value: 2e6, moonshot: 5e6 },
    async open() {
      const context = await memory()
      const kv = context.createMemoryKV()
      await grouped(context.keys, (key) => kv.save(key, VALUE))
      return { ...context, kv }
    },
    measure: ({ kv, keys: all }) => perSecond(KEYS, () => grouped(all, (key) => kv.load(key))),
    close: (context) => context?.kv.close(),
  },
  {
    id: 'kv.memory.fanout', work: 'one write seen by 1,000 prefix watchers', unit: 'ms', goal: { op: '<=', value: 2, moonshot: 0.5 }, warmups: 20, runs: 21,
    async open() {
      const kv = (await memory()).createMemoryKV()
      const watches = Array.from({ length: 1000 }, () => kv.watchWithPrefix('fan/'))
      await Promise.all(watches.map((watch) => watch.ready))
      return { kv, watches, next: 0 }
    },
    measure: (context) => timeOf(async () => {
      const seen = context.watches.map((watch) => watch.next())
      await context.kv.save(`fan/${context.next++}`, VALUE)
      await Promise.all(seen)
    }),
    close: (context) => context?.kv.close(),
  },
  {
    id: 'kv.lmdb.put64', work: 'durable puts of 40 + 100 B, 64 in flight', unit: '/s', reference: 'raw lmdb', goal: { op: '>=', value: 0.8, moonshot: 0.95 },
    open: openBoth,
    async measure(context) {
      const begin = context.next
      context.next += PUTS
      return (await inFlight((i) => context.kv.save(keyOf(begin + i), VALUE), { total: PUTS, width: 64 })).perSecond
    },
    async measureReference(context) {
      const begin = context.next
      return (await inFlight((i) => context.raw.put(keyOf(begin + i), VALUE), { total: PUTS, width: 64 })).perSecond
    },
    close: closeBoth,
  },
  {
    id: 'kv.lmdb.prefix', work: 'scan of 10,000 keys under a prefix', unit: 'keys/s', reference: 'raw lmdb', goal: { op: '>=', value: 0.8, moonshot: 0.95 },
    async open() {
      const context = await openBoth()
      const pairs = Array.from({ length: PAGE }, (_, i) => [keyOf(i), VALUE])
      for (let i = 0; i < PAGE; i += 1000) await context.kv.multiSave(pairs.slice(i, i + 1000))
      await context.raw.transaction(() => pairs.forEach(([key, value]) => void context.raw.put(key, value)))
      return context
    },
    measure: ({ kv }) => perSecond(PAGE * 10, async () => {
      for (let i = 0; i < 10; i += 1) if ((await kv.loadWithPrefix('bench/')).keys.length !== PAGE) throw new Error('a page is short')
    }),
    measureReference: ({ raw }) => perSecond(PAGE * 10, () => {
      for (let i = 0; i < 10; i += 1) {
        const found = { keys: [], values: [] }
        for (const { key, value } of raw.getRange({ start: 'bench/', end: 'bench0' })) {
          found.keys.push(key)
          found.values.push(value)
        }
        if (found.keys.length !== PAGE) throw new Error('a page is short')
      }
    }),
    close: closeBoth,
  },
  ...serverRows,
]
