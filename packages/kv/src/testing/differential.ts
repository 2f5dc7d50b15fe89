/** Random operations on the store and on the reference: everything that can be seen must agree. */
import assert from 'node:assert/strict'
import type { KVBase, KVEvent, Revision } from '../kv.ts'
import { createMemoryKV } from '../memory.ts'
import type { Kit } from './kit.ts'
import { randomFrom } from './random.ts'

const KEYS = ['a', 'a/', 'a/b', 'a/b/c', 'ab', 'b', '\uff5e', '\u{1F600}', '\u{1F600}x', '0']
const PREFIXES = ['', 'a', 'a/', 'a/b', 'b', '\u{1F600}', 'none']
const ROUNDS = 300

/** The same operation on any store; what it gives must not depend on absolute revisions. */
type Step = (kv: KVBase, tokens: Map<string, Revision>) => Promise<unknown>

function drawStep(random: () => number, round: number): { name: string; step: Step } {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T
  const some = (): string[] => KEYS.filter(() => random() < 0.3)
  const value = `v${round}`
  const [key, prefix, saved, removed, limit] = [pick(KEYS), pick(PREFIXES), some(), some(), 1 + Math.floor(random() * 4)]
  const [startAfter, exists, isStale] = [random() < 0.5 ? pick(KEYS) : undefined, random() < 0.5, random() < 0.4]
  const pairs = saved.map((name): [string, string] => [name, value])
  const token = (tokens: Map<string, Revision>): Revision => (isStale ? 0n : tokens.get(key) ?? 0n)
  const steps: Record<string, Step> = {
    save: async (kv) => void (await kv.save(key, value)),
    multiSave: async (kv) => void (await kv.multiSave(pairs)),
    remove: async (kv) => void (await kv.remove(key)),
    multiRemove: async (kv) => void (await kv.multiRemove(removed)),
    removeWithPrefix: async (kv) => void (await kv.removeWithPrefix(prefix === '' ? 'a' : prefix)),
    multiSaveAndRemove: async (kv, tokens) => (await kv.multiSaveAndRemove(pairs, removed, {
      when: exists ? [{ key, exists: !isStale }] : [{ key, modRevision: token(tokens) }],
    })).applied,
    compareAndSave: async (kv, tokens) => kv.compareAndSave(key, token(tokens), value),
    load: async (kv) => [await kv.load(key), await kv.has(key)],
    multiLoad: async (kv) => kv.multiLoad([...saved, ...removed]),
    loadWithPrefix: async (kv) => {
      const { keys, values, more } = await kv.loadWithPrefix(prefix, { limit: exists ? limit : undefined, startAfter })
      return { keys, values, more }
    },
  }
  const name = pick(Object.keys(steps))
  return { name: `${name}(${JSON.stringify({ key, prefix, saved, removed, limit, startAfter, exists, isStale })})`, step: steps[name] as Step }
}

/** Remembers each key's revision, the way a client would learn it. */
async function learn(kv: KVBase, tokens: Map<string, Revision>): Promise<{ keys: readonly string[]; values: readonly string[]; steps: Revision }> {
  const { keys, values, modRevisions, revision } = await kv.loadWithPrefix('')
  tokens.clear()
  keys.forEach((key, index) => tokens.set(key, modRevisions[index] ?? 0n))
  return { keys, values, steps: revision }
}

/** Events grouped by revision, the groups' members sorted: order inside a revision is free. */
function shape(events: readonly KVEvent[], base: Revision): string[] {
  const groups = new Map<Revision, string[]>()
  for (const event of events) {
    const text = event.type === 'put' ? `${event.key}=${event.value}${event.created ? '!' : ''}` : `-${event.key}`
    groups.set(event.revision, [...(groups.get(event.revision) ?? []), text])
  }
  return [...groups].map(([revision, texts]) => `${revision - base}: ${texts.sort().join(' ')}`)
}

export function differentialTests(kit: Kit): void {
  kit.test('random operations agree with the reference, step by step and in the watch', async (kv) => {
    const seed = kit.options.seed ?? 20_220_901
    const random = randomFrom(seed)
    const reference = createMemoryKV()
    const tokens = { theirs: new Map<string, Revision>(), ours: new Map<string, Revision>() }
    const base = { theirs: (await kv.loadWithPrefix('')).revision, ours: (await reference.loadWithPrefix('')).revision }
    try {
      for (let round = 0; round < ROUNDS; round++) {
        const { name, step } = drawStep(random, round)
        const where = `SEED=${seed} step ${round}: ${name}`
        assert.deepEqual(await step(kv, tokens.theirs), await step(reference, tokens.ours), where)
        const theirs = await learn(kv, tokens.theirs)
        const ours = await learn(reference, tokens.ours)
        assert.deepEqual([theirs.keys, theirs.values], [ours.keys, ours.values], where)
        assert.equal(theirs.steps - base.theirs, ours.steps - base.ours, `${where}: number of revisions`)
      }
      if (!kv.features.watch) return
      const ours = (await kit.next(reference.watchWithPrefix('', { from: base.ours + 1n }))).events
      const watch = kv.watchWithPrefix('', { from: base.theirs + 1n })
      const theirs = await kit.collect(watch, ours.length)
      await watch.return?.()
      assert.deepEqual(shape(theirs, base.theirs), shape(ours, base.ours), `SEED=${seed}: events`)
    } finally {
      await reference.close()
    }
  })
}
