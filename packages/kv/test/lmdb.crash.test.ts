import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { isKVError } from '../src/index.ts'
import { openLmdbKV } from '../src/lmdb.ts'
import { bundleFixture, startChild } from '@timetick/tools/child'
import { freshFolders } from './folders.edge.ts'
import { ring } from './services.edge.ts'

const fresh = freshFolders()

/** In CI each life is killed somewhere within its first 1,000 transactions. */
const { lives, transactions } = ring === 'default' ? { lives: 10, transactions: 400 } : { lives: 50, transactions: 1000 }

it(`kill -9, ${lives} times, loses no acknowledged write and tears no transaction`, { timeout: lives * 6000 }, async () => {
  const path = await fresh()
  const file = await bundleFixture(import.meta.dirname, 'writer', 'crash')
  const acknowledged: string[] = []
  for (let life = 0; life < lives; life++) {
    const child = startChild(file, [path, String(life)])
    await child.line('ack', 1 + (life * 379) % transactions)
    child.process.kill('SIGKILL')
    await child.exited
    acknowledged.push(...child.lines.filter((line) => /^ack \d+-\d+-\d+$/.test(line)).map((line) => line.slice(4)))
    const kv = await openLmdbKV({ path })
    const [left, right] = [await kv.loadWithPrefix('left/'), await kv.loadWithPrefix('right/')]
    expect(right.values, 'transactions are whole').toEqual(left.values)
    const there = new Set(left.values)
    expect(acknowledged.filter((id) => !there.has(id)), 'acknowledged writes are there').toEqual([])
    const watch = kv.watchWithPrefix('left/', { from: 1n })
    let events = 0
    while (events < left.keys.length) events += (await watch.next()).value?.events.length ?? 0
    expect(events, 'the log is whole too').toBe(left.keys.length)
    await kv.close()
  }
  expect(acknowledged.length).toBeGreaterThan(lives * 20)
})

it('a second process is refused and told who holds the store; after kill -9 the first try works', { timeout: 60_000 }, async () => {
  const path = await fresh()
  const file = await bundleFixture(import.meta.dirname, 'writer', 'lock')
  const child = startChild(file, [path, '0', 'hold'])
  await child.line('open')
  const stopped = openLmdbKV({ path })
  await expect(stopped).rejects.toSatisfy((error) => isKVError(error, 'KV_LOCKED') && error.details['pid'] === child.process.pid)
  await expect(stopped).rejects.toThrow(`process ${child.process.pid}`)
  child.process.kill('SIGSTOP')
  await expect(openLmdbKV({ path }), 'a stopped holder still holds').rejects.toThrow(`process ${child.process.pid}`)
  child.process.kill('SIGKILL')
  await child.exited
  const kv = await openLmdbKV({ path })
  expect(await readFile(join(path, 'writer.pid'), 'utf8')).toBe(`${process.pid}\n`)
  await expect(openLmdbKV({ path })).rejects.toThrow('this process')
  await kv.close()
  await (await openLmdbKV({ path })).close()
})
