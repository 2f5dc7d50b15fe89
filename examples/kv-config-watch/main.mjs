// @ts-check
/**
 * Configuration in a KVBase: two services read it once, then follow its changes; two writers share a counter.
 *
 *     node main.mjs
 */
import assert from 'node:assert/strict'
import { createMemoryKV } from '@timetick/kv/memory'

const kv = createMemoryKV({ rootPath: 'shop' }) // or: await openLmdbKV({ path: './data/kv', rootPath: 'shop' }) of '@timetick/kv/lmdb'

/**
 * Reads the configuration, then follows it until it says `shutdown`. Read and watch join at one revision: nothing is missed, nothing comes twice.
 * @param {string} service
 */
async function follow(service) {
  const page = await kv.loadWithPrefix('config/')
  const settings = new Map(page.keys.map((key, i) => [key, page.values[i]]))
  const seen = [`starts with ${show(settings)}`]
  console.log(`${service}: ${seen[0]}`)
  for await (const batch of kv.watchWithPrefix('config/', { from: page.revision + 1n })) {
    // One batch is one or more whole writes: host and port of a database that were saved together arrive together.
    for (const event of batch.events) {
      if (event.type === 'put') settings.set(event.key, event.value)
      else settings.delete(event.key)
    }
    seen.push(`now ${show(settings)}`)
    console.log(`${service}: ${seen.at(-1)}`)
    if (settings.has('config/shutdown')) break
  }
  return { settings, seen }
}

/** @param {ReadonlyMap<string, string | undefined>} settings */
const show = (settings) => [...settings].map(([key, value]) => `${key.slice('config/'.length)}=${value}`).join(' ')

/**
 * Adds to a number that others change too. Losing the race gives `false`: read again, try again.
 * @param {string} key
 * @param {number} times
 * @returns {Promise<number>} how often somebody else was faster
 */
async function increment(key, times) {
  let lost = 0
  for (let done = 0; done < times; ) {
    const entry = await kv.loadEntry(key)
    const next = String(Number(entry?.value ?? '0') + 1)
    if (await kv.compareAndSave(key, entry?.modRevision ?? 0n, next)) done++
    else lost++
  }
  return lost
}

await kv.multiSave({ 'config/db.host': 'db-1', 'config/db.port': '5432', 'config/log': 'info' })
const services = Promise.all([follow('proxy'), follow('indexer')])
await kv.save('config/log', 'debug')
await kv.multiSave({ 'config/db.host': 'db-2', 'config/db.port': '6432' })
await kv.multiSaveAndRemove({ 'config/shutdown': 'yes' }, ['config/log'])

const [proxy, indexer] = await services
assert.deepEqual(proxy.settings, indexer.settings)
assert.deepEqual(Object.fromEntries(proxy.settings), { 'config/db.host': 'db-2', 'config/db.port': '6432', 'config/shutdown': 'yes' })
for (const line of [...proxy.seen, ...indexer.seen]) assert.doesNotMatch(line, /db-1 db.port=6432|db-2 db.port=5432/, 'half of a write was seen')

const [lostByA, lostByB] = await Promise.all([increment('orders', 100), increment('orders', 100)])
console.log(`counter: ${await kv.load('orders')} after 2 x 100 increments; ${lostByA + lostByB} lost races were tried again`)
assert.equal(await kv.load('orders'), '200')

await kv.close()
console.log('ok')
