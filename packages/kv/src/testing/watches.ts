import assert from 'node:assert/strict'
import type { KVEvent, Revision } from '../kv.ts'
import { brief, type Kit } from './kit.ts'
import { within } from './wait.edge.ts'

export function watchTests(kit: Kit): void {
  const watchTest: Kit['test'] = (name, body) => kit.test(name, async (kv) => (kv.features.watch ? body(kv) : undefined))

  watchTest('a watch sees what is saved after ready: created, changed, deleted', async (kv) => {
    await kv.save('k', 'before')
    const watch = kv.watch('k')
    await watch.ready
    const changed = await kv.save('k', '2')
    const deleted = await kv.remove('k')
    const created = await kv.save('k', '')
    const events = await kit.collect(watch, 3)
    assert.deepEqual(events, [
      { type: 'put', key: 'k', value: '2', revision: changed, created: false },
      { type: 'delete', key: 'k', revision: deleted },
      { type: 'put', key: 'k', value: '', revision: created, created: true },
    ])
    await watch.return?.()
  })

  watchTest('watch filters: exactly this key, or keys with this prefix', async (kv) => {
    const [exact, prefix, all] = [kv.watch('a'), kv.watchWithPrefix('a'), kv.watchWithPrefix('')]
    await Promise.all([exact.ready, prefix.ready, all.ready])
    await kv.multiSave({ ab: '1', b: '2' })
    await kv.save('A', '3')
    await kv.save('a', '4')
    assert.deepEqual(brief(await kit.collect(exact, 1)), ['create a=4'])
    assert.deepEqual(brief(await kit.collect(prefix, 2)), ['create ab=1', 'create a=4'])
    assert.deepEqual(brief(await kit.collect(all, 4)).sort(), ['create A=3', 'create a=4', 'create ab=1', 'create b=2'])
    await Promise.all([exact.return?.(), prefix.return?.(), all.return?.()])
  })

  watchTest('Must never split a revision over two batches', async (kv) => {
    const watch = kv.watchWithPrefix('')
    await watch.ready
    for (let round = 0; round < 20; round++) {
      await kv.multiSave(Array.from({ length: 30 }, (_, index): [string, string] => [`k${index}`, String(round)]))
    }
    let last = 0n
    for (let seen = 0; seen < 600;) {
      const batch = await kit.next(watch)
      const counts = new Map<Revision, number>()
      for (const event of batch.events) counts.set(event.revision, (counts.get(event.revision) ?? 0) + 1)
      for (const [revision, count] of counts) {
        assert.equal(count, 30, `revision ${revision} came in parts`)
        assert.ok(revision > last, 'in order')
        last = revision
      }
      assert.ok(batch.revision >= last)
      seen += batch.events.length
    }
    await watch.return?.()
  })

  watchTest('Must deliver every event once, in revision order, and nothing below from', async (kv) => {
    const revisions: Revision[] = []
    for (let round = 0; round < 10; round++) revisions.push(await kv.save(`k${round}`, String(round)))
    const from = revisions[4] ?? 0n
    const watch = kv.watchWithPrefix('', { from })
    const writing = Promise.all(Array.from({ length: 50 }, (_, index) => kv.save(`late${index}`, 'x')))
    const events = await kit.collect(watch, 56)
    await writing
    await kv.save('end', 'x')
    assert.deepEqual(brief(await kit.collect(watch, 1)), ['create end=x'], 'nothing is left over')
    assert.deepEqual(brief(events.slice(0, 6)), [4, 5, 6, 7, 8, 9].map((round) => `create k${round}=${round}`))
    assert.ok(events.every((event) => event.revision >= from))
    assert.ok(events.every((event, index) => index === 0 || event.revision >= (events[index - 1]?.revision ?? 0n)), 'in order')
    assert.equal(new Set(events.map((event) => event.key)).size, 56, 'once')
    await watch.return?.()
  })

  watchTest('list then watch from revision + 1 misses nothing and repeats nothing', async (kv) => {
    const state = new Map<string, string>()
    const writing = (async (): Promise<void> => {
      for (let round = 0; round < 60; round++) await kv.save(`k${round % 7}`, String(round))
      await kv.save('end', 'x')
    })()
    const page = await kv.loadWithPrefix('')
    page.keys.forEach((key, index) => state.set(key, page.values[index] ?? ''))
    const watch = kv.watchWithPrefix('', { from: page.revision + 1n })
    while (!state.has('end')) {
      for (const event of (await kit.next(watch)).events) {
        assert.ok(event.revision > page.revision, 'nothing that the list had')
        if (event.type === 'put') state.set(event.key, event.value)
      }
    }
    await writing
    const now = await kv.loadWithPrefix('')
    assert.deepEqual(state, new Map(now.keys.map((key, index) => [key, now.values[index] ?? ''] as const)))
    await watch.return?.()
  })

  watchTest('a watch can be resumed behind each batch', async (kv) => {
    const start = (await kv.loadWithPrefix('')).revision
    for (let round = 0; round < 12; round++) await kv.multiSave({ [`a${round}`]: '1', [`b${round}`]: '2' })
    const seen: KVEvent[] = []
    let from = start + 1n
    for (let round = 0; seen.length < 24; round++) {
      const watch = kv.watchWithPrefix('', { from })
      const batch = await kit.next(watch)
      seen.push(...batch.events)
      from = batch.revision + 1n
      await watch.return?.()
      await kv.save('other', String(round))
    }
    assert.equal(new Set(seen.filter((event) => event.key !== 'other').map((event) => event.key)).size, 24)
  })

  watchTest('a future from delivers from there on', async (kv) => {
    const revision = await kv.save('k', '0')
    const watch = kv.watch('k', { from: revision + 3n })
    await watch.ready
    for (const value of ['1', '2', '3', '4']) await kv.save('k', value)
    assert.deepEqual(brief(await kit.collect(watch, 2)), ['change k=3', 'change k=4'])
    await watch.return?.()
  })

  watchTest('what changes nothing makes no event', async (kv) => {
    const watch = kv.watchWithPrefix('')
    await watch.ready
    await kv.remove('none')
    await kv.removeWithPrefix('none')
    await kv.compareAndSave('none', 99n, 'x')
    await kv.multiSaveAndRemove({ a: '1' }, [], { when: [{ key: 'none', exists: true }] })
    await kv.save('a', 'first')
    assert.deepEqual(brief((await kit.next(watch)).events), ['create a=first'])
    await watch.return?.()
  })

  watchTest('watchers are independent, and a consumer may write', async (kv) => {
    const [one, two] = [kv.watch('k'), kv.watch('k')]
    await Promise.all([one.ready, two.ready])
    await kv.save('k', '1')
    for await (const batch of one) {
      const value = Number(batch.events.at(-1)?.type === 'put' ? await kv.load('k') : 0)
      if (value >= 5) break
      await kv.save('k', String(value + 1))
    }
    assert.deepEqual(brief(await kit.collect(two, 5)), ['create k=1', ...[2, 3, 4, 5].map((value) => `change k=${value}`)])
    await two.return?.()
  })

  watchTest('return ends a waiting next; an abort rejects it with the reason', async (kv) => {
    const watch = kv.watch('k')
    const waiting = watch.next()
    await watch.return?.()
    assert.equal((await within(waiting, kit.waitMs, 'next after return')).done, true)
    assert.equal((await within(watch.next(), kit.waitMs, 'next after return')).done, true)
    const controller = new AbortController()
    const aborted = kv.watch('k', { signal: controller.signal })
    const pending = aborted.next()
    const reason = new Error('enough')
    controller.abort(reason)
    await assert.rejects(within(pending, kit.waitMs, 'next after abort'), (error) => error === reason)
    const late = kv.watch('k', { signal: controller.signal })
    await assert.rejects(late.ready, (error) => error === reason)
    await assert.rejects(within(late.next(), kit.waitMs, 'next of a dead watch'), (error) => error === reason)
  })
}
