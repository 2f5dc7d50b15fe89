import { createMemoryKV } from '@timetick/kv/memory'
import { describe, expect, it } from 'vitest'
import { type Catalog, openCatalog } from '../../src/coordinator/catalog.ts'
import { MilvusError } from '../../src/server/status.ts'
import { type CatalogKV, counter, createCollection, dump } from './helpers.ts'

function random(seed: number): (below: number) => number {
  let state = seed >>> 0
  return (below) => {
    state = (Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0
    return state % below
  }
}

/** What should be: written naively, by name, without ids. */
class Model {
  collections = new Map<string, { partitions: string[]; indexed: boolean; loaded: string[] }>()
  aliases = new Map<string, string>()

  resolve(name: string) {
    return this.collections.get(name) ?? this.collections.get(this.aliases.get(name) ?? '')
  }

  /** Undefined where the operation must fail. */
  run(op: string, a: string, b: string): 'ok' | undefined {
    const found = this.resolve(a)
    switch (op) {
      case 'create':
        if (this.aliases.has(a)) return undefined
        if (!this.collections.has(a)) this.collections.set(a, { partitions: ['_default'], indexed: false, loaded: [] })
        return 'ok'
      case 'drop':
        if (this.aliases.has(a)) return undefined
        this.collections.delete(a)
        for (const [alias, target] of this.aliases) if (target === a) this.aliases.delete(alias)
        return 'ok'
      case 'alias':
        if (!this.collections.has(a) || this.collections.has(b) || (this.aliases.has(b) && this.aliases.get(b) !== a)) return undefined
        this.aliases.set(b, a)
        return 'ok'
      case 'dropAlias':
        if (this.collections.has(b)) return undefined
        this.aliases.delete(b)
        return 'ok'
      case 'rename': {
        const own = this.collections.get(a)
        if (own === undefined || a === b || this.resolve(b) !== undefined) return undefined
        this.collections.delete(a)
        this.collections.set(b, own)
        for (const [alias, target] of this.aliases) if (target === a) this.aliases.set(alias, b)
        return 'ok'
      }
      default:
        return found === undefined ? undefined : this.change(op, found, `p_${b}`)
    }
  }

  change(op: string, found: { partitions: string[]; indexed: boolean; loaded: string[] }, partition: string): 'ok' | undefined {
    const whole = found.loaded.includes('*')
    switch (op) {
      case 'partition':
        if (found.partitions.includes(partition)) return 'ok'
        found.partitions.push(partition)
        if (whole) found.loaded.push(partition)
        return 'ok'
      case 'dropPartition':
        if (found.loaded.includes(partition)) return undefined
        found.partitions = found.partitions.filter((name) => name !== partition)
        return 'ok'
      case 'index':
        found.indexed = true
        return 'ok'
      case 'dropIndex':
        if (found.indexed && found.loaded.length > 0) return undefined
        found.indexed = false
        return 'ok'
      case 'load':
        if (!found.indexed) return undefined
        found.loaded = ['*', ...found.partitions]
        return 'ok'
      case 'loadPartition':
        if (!found.indexed || !found.partitions.includes(partition)) return undefined
        if (!found.loaded.includes(partition)) found.loaded.push(partition)
        return 'ok'
      case 'release':
        found.loaded = []
        return 'ok'
      default: {
        if (!found.partitions.includes(partition)) return undefined
        if (found.loaded.includes(partition)) found.loaded = found.loaded.filter((name) => name !== partition && name !== '*')
        return 'ok'
      }
    }
  }

  text(): string {
    const collections = [...this.collections].map(
      ([name, { partitions, indexed, loaded }]) => [name, partitions, indexed, [...loaded].sort()] as const,
    )
    return JSON.stringify([collections.sort(([x], [y]) => (x < y ? -1 : 1)), [...this.aliases].sort(([x], [y]) => (x < y ? -1 : 1))])
  }
}

function view(catalog: Catalog): string {
  const collections = catalog.collections('default').map((collection) => {
    const load = catalog.load(collection.id)
    const loaded = collection.partitions.filter(({ id }) => load?.partitionIds.includes(id)).map(({ name }) => name)
    if (load?.wholeCollection === true) loaded.push('*')
    return [
      collection.schema.name,
      collection.partitions.map(({ name }) => name),
      catalog.indexes(collection.id).length > 0,
      loaded.sort(),
    ] as const
  })
  const aliases = catalog
    .collections()
    .flatMap((collection) => catalog.aliases(collection.id).map(({ alias }) => [alias, collection.schema.name] as const))
  return JSON.stringify([[...collections].sort(([x], [y]) => (x < y ? -1 : 1)), aliases.sort(([x], [y]) => (x < y ? -1 : 1))])
}

async function act(catalog: Catalog, op: string, a: string, b: string): Promise<void> {
  const db = 'default'
  const run: Record<string, () => Promise<unknown>> = {
    create: () => createCollection(catalog, a),
    drop: () => catalog.dropCollection(db, a),
    alias: () => catalog.createAlias(db, b, a),
    dropAlias: () => catalog.dropAlias(db, b),
    rename: () => catalog.renameCollection(db, a, db, b),
    partition: () => catalog.createPartition(db, a, `p_${b}`),
    dropPartition: () => catalog.dropPartition(db, a, `p_${b}`),
    index: () => catalog.createIndex(db, a, 'vector', '', {}),
    dropIndex: () => catalog.dropIndex(db, a, 'vector'),
    load: () => catalog.loadCollection(db, a, 1),
    loadPartition: () => catalog.loadPartitions(db, a, [`p_${b}`], 1),
    release: () => catalog.releaseCollection(db, a),
    releasePartition: () => catalog.releasePartitions(db, a, [`p_${b}`]),
  }
  await run[op]?.()
}

const OPS = [
  'create',
  'create',
  'create',
  'drop',
  'alias',
  'dropAlias',
  'rename',
  'partition',
  'partition',
  'dropPartition',
  'index',
  'index',
]
const LOAD_OPS = ['dropIndex', 'load', 'loadPartition', 'release', 'releasePartition']
const ALL = [...OPS, ...LOAD_OPS]
const NAMES = ['a', 'b', 'c', 'd']

describe('catalog against a model', () => {
  it.each([1, 2, 3, 4, 5, 6])('gives the same outcomes and survives being killed at any moment (seed %i)', async (seed) => {
    const next = random(seed)
    const pick = (list: readonly string[]): string => list[next(list.length)] as string
    const kv = createMemoryKV()
    const options = { kv, ids: counter(), timestamps: counter(), pchannels: ['x'] }
    let catalog = await openCatalog(options)
    const model = new Model()
    for (let step = 0; step < 400; step++) {
      const [op, a, b] = [pick(ALL), pick(NAMES), pick(NAMES)]
      const expected = model.run(op, a, b)
      const outcome = await act(catalog, op, a, b).then(
        () => 'ok',
        (error: unknown) => (error instanceof MilvusError ? undefined : error),
      )
      expect([seed, step, op, a, b, outcome]).toEqual([seed, step, op, a, b, expected])
      expect(view(catalog)).toBe(model.text())
      if (next(20) === 0) {
        const reopened = await openCatalog(options)
        expect(dump(reopened)).toBe(dump(catalog))
        catalog = reopened
      }
    }
  })

  it.each([11, 12, 13])('agrees with what is stored after writes of unknown outcome (seed %i)', async (seed) => {
    const next = random(seed)
    const store = createMemoryKV()
    const flaky: CatalogKV = {
      loadWithPrefix: (...args) => store.loadWithPrefix(...args),
      multiLoad: (...args) => store.multiLoad(...args),
      async multiSaveAndRemove(...args) {
        const luck = next(6)
        if (luck === 0) throw new Error('lost before')
        const result = await store.multiSaveAndRemove(...args)
        if (luck === 1) throw new Error('lost after')
        return result
      },
    }
    await openCatalog({ kv: store, ids: counter(), timestamps: counter(), pchannels: ['x'] })
    const options = { kv: flaky, ids: counter(1000n), timestamps: counter(1000n), pchannels: ['x'] }
    const catalog = await openCatalog(options)
    const heard = new Map<bigint, bigint | undefined>()
    catalog.onChange((change) => {
      if (change.kind === 'collection') heard.set(change.id, change.after?.id)
    })
    for (let step = 0; step < 300; step++) {
      const ops = [ALL[next(ALL.length)] as string, ALL[next(ALL.length)] as string]
      await Promise.allSettled(ops.map((op) => act(catalog, op, NAMES[next(4)] as string, NAMES[next(4)] as string)))
      // The next change reads doubtful keys again; one that changes nothing is enough.
      await catalog.dropAlias('default', 'nothing')
      expect([seed, step, dump(await openCatalog(options))]).toEqual([seed, step, dump(catalog)])
    }
    const alive = [...heard].filter(([, after]) => after !== undefined).map(([id]) => id)
    expect(new Set(alive)).toEqual(new Set(catalog.collections().map(({ id }) => id)))
  })
})
