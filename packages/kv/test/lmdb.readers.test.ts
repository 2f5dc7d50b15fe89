/** One process writes, others read the same folder. */
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type Child, bundleFixture, startChild } from '@timetick/tools/child'
import { describe, expect, it, onTestFinished } from 'vitest'
import { isKVError, type KVBase } from '../src/index.ts'
import { openLmdbKV } from '../src/lmdb.ts'
import { testKV } from '../src/testing.ts'
import { freshFolders } from './folders.edge.ts'
import { ManualClock } from './manual-clock.ts'
import { ring } from './services.edge.ts'

const fresh = freshFolders()
const READS = new Set(['load', 'loadEntry', 'multiLoad', 'loadWithPrefix', 'has', 'watch', 'watchWithPrefix'])

/** Writes go to one store, reads and watches to another. */
function split<V>(writer: KVBase<V>, reader: KVBase<V>): KVBase<V> {
  return new Proxy(writer, {
    get(target, name) {
      if (name === 'bytes') return split(writer.bytes, reader.bytes)
      if (name === 'close') return async () => (await reader.close(), await writer.close())
      const from = typeof name === 'string' && READS.has(name) ? reader : target
      const value: unknown = Reflect.get(from, name, from)
      return typeof value === 'function' ? value.bind(from) : value
    },
  })
}

async function openBoth(limits: { maxHistory?: number; maxWatchLagBytes?: number } = {}): Promise<KVBase> {
  const path = await fresh()
  const writer = await openLmdbKV({ path, ...limits })
  return split(writer, await openLmdbKV({ path, readOnly: true, pollMs: 1, ...limits }))
}

if (ring !== 'default') testKV('lmdb, read by a reader', {
  runner: { describe, it },
  create: openBoth,
  createBounded: () => openBoth({ maxHistory: 10, maxWatchLagBytes: 4096 }),
  features: { sharing: 'readers' },
})

describe('a reader', () => {
  it('refuses to write, and has no leases', async () => {
    const path = await fresh()
    const writer = await openLmdbKV({ path })
    const reader = await openLmdbKV({ path, readOnly: true })
    const refused = (error: unknown): boolean => isKVError(error, 'KV_UNSUPPORTED') && error.outcome === 'not-applied'
    const calls = [reader.save('a', '1'), reader.multiSave({ a: '1' }), reader.remove('a'), reader.removeWithPrefix(''), reader.compareAndSave('a', 0n, '1'), reader.grantLease(1000)]
    for (const call of calls) await expect(call).rejects.toSatisfy(refused)
    await reader.close()
    await writer.save('a', '1')
    await writer.close()
  })

  it('says that there is no store yet, or that it is something else', async () => {
    const folder = await fresh()
    await expect(openLmdbKV({ path: folder, readOnly: true })).rejects.toSatisfy((error) => isKVError(error, 'KV_UNAVAILABLE') && error.retryable)
    await expect(openLmdbKV({ path: join(folder, 'missing'), readOnly: true })).rejects.toSatisfy((error) => isKVError(error, 'KV_UNAVAILABLE'))
    await expect(openLmdbKV({ path: folder, readOnly: 'yes' as never })).rejects.toThrow(TypeError)
    await expect(openLmdbKV({ path: folder, readOnly: true, pollMs: 0 })).rejects.toThrow(RangeError)
    await expect(stat(join(folder, 'missing'))).rejects.toThrow('ENOENT')
  })

  it('looks for commits only while somebody watches, and leaves no timer', async () => {
    const [path, clock] = [await fresh(), new ManualClock()]
    const writer = await openLmdbKV({ path })
    const reader = await openLmdbKV({ path, readOnly: true, clock })
    await writer.save('a', '1')
    expect(await reader.load('a')).toBe('1')
    expect(clock.pending).toBe(0)
    const watch = reader.watch('a')
    await writer.save('a', '2')
    clock.advance(10)
    expect((await watch.next()).value?.events).toHaveLength(1)
    await watch.return?.()
    clock.advance(10)
    expect(clock.pending).toBe(0)
    reader.watch('a')
    await reader.close()
    expect(clock.pending).toBe(0)
    await writer.close()
  })
})

describe('readers in other processes', () => {
  function start(file: string, path: string): Child {
    const child = startChild(file, [path])
    onTestFinished(async () => {
      child.process.kill('SIGKILL')
      await child.exited
    })
    return child
  }

  async function untilKnown(child: Child, text: string): Promise<void> {
    try {
      await child.line(`knows ${text} `)
    } catch (error) {
      throw new Error(`the reader never knew ${text}; last: ${child.lines.at(-1)}`, { cause: error })
    }
  }

  it('follow every commit, over a kill and a stop of theirs, a restart of the writer, and without the file growing', { timeout: 60_000 }, async () => {
    const path = await fresh()
    const file = await bundleFixture(import.meta.dirname, 'reader', 'readers')
    // They wait until there is a store.
    const [steady, slow] = [start(file, path), start(file, path)]
    let kv = await openLmdbKV({ path, maxHistory: 200 })
    const killed = start(file, path)
    await Promise.all([steady.line('open'), slow.line('open'), killed.line('open')])
    let ids = 0
    const write = async (times: number): Promise<bigint> => {
      let revision = 0n
      for (let round = 0; round < times; round++) {
        const id = ids++
        revision = await kv.multiSave([[`left/${id % 50}`, `${id}`.repeat(50)], [`right/${id % 50}`, `${id}`.repeat(50)]])
      }
      return revision
    }
    const first = await write(50)
    await Promise.all([untilKnown(steady, `${first} 100`), untilKnown(slow, `${first} 100`), untilKnown(killed, `${first} 100`)])
    killed.process.kill('SIGKILL')
    slow.process.kill('SIGSTOP')
    // More than the log keeps: the stopped one has to list again.
    const second = await write(600)
    await untilKnown(steady, `${second} 100`)
    slow.process.kill('SIGCONT')
    await kv.close()
    kv = await openLmdbKV({ path, maxHistory: 200 })
    const { size } = await stat(join(path, 'data.mdb'))
    await kv.removeWithPrefix('left/0')
    const third = await kv.remove('right/0')
    await Promise.all([untilKnown(steady, `${third} 98`), untilKnown(slow, `${third} 98`)])
    expect(Number(slow.lines.at(-1)?.split(' ').at(-1)), 'the stopped one listed again').toBeGreaterThan(1)
    await write(2000)
    const grown = (await stat(join(path, 'data.mdb'))).size
    expect(grown, 'the dead reader holds nothing').toBeLessThan(size * 2)
    await kv.close()
  })
})
