// @ts-check
/**
 * A counter that processes share, by transactions on its revision. Each writer notes in the same transaction which of its
 * increments was the last: if an answer is lost, it reads the note, and nothing is counted twice or not at all.
 *
 *     node main.mjs                            # three writers in this process, in memory, every tenth answer lost
 *     node main.mjs redis://127.0.0.1:6379     # three processes; or http://127.0.0.1:2379 for etcd
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { isKVError, KVError } from '@timetick/kv'

/** @typedef {import('@timetick/kv').KVBase} KVBase */

const WRITERS = 3
const TIMES = 50

/** @param {string | undefined} url @param {string} rootPath @returns {Promise<KVBase>} */
async function open(url, rootPath) {
  if (url?.startsWith('redis')) return (await import('@timetick/kv/redis')).openRedisKV({ url, rootPath })
  if (url !== undefined) return (await import('@timetick/kv/etcd')).openEtcdKV({ hosts: url, rootPath })
  let calls = 0
  const after = () => {
    if (++calls % 10 === 0) throw new KVError('KV_TIMEOUT', 'the answer was lost, on purpose', { outcome: 'unknown' })
  }
  return (await import('@timetick/kv/memory')).createMemoryKV({ rootPath, faults: { after } })
}

/**
 * Reads until the store answers.
 * @param {KVBase} kv
 * @param {string} key
 */
async function read(kv, key) {
  for (;;) {
    try {
      return await kv.loadEntry(key)
    } catch (error) {
      if (!isKVError(error) || !error.retryable) throw error
    }
  }
}

/**
 * @param {KVBase} kv
 * @param {string} me
 * @returns {Promise<{ lost: number, unknown: number }>} races lost, answers lost
 */
async function increment(kv, me) {
  const note = `writers/${me}`
  let lost = 0
  let unknown = 0
  for (let turn = 1; turn <= TIMES; ) {
    const counter = await read(kv, 'counter')
    const next = { counter: String(Number(counter?.value ?? '0') + 1), [note]: String(turn) }
    try {
      const { applied } = await kv.multiSaveAndRemove(next, [], { when: [{ key: 'counter', modRevision: counter?.modRevision ?? 0n }] })
      if (applied) turn++
      else lost++
    } catch (error) {
      if (!isKVError(error) || !error.retryable) throw error
      if (error.outcome !== 'unknown') continue
      unknown++
      if ((await read(kv, note))?.value === String(turn)) turn++
    }
  }
  return { lost, unknown }
}

const [url, rootPath = `counter-${process.pid}`, me] = process.argv.slice(2)
const kv = await open(url, rootPath)
if (me === undefined) {
  const writers = Array.from({ length: WRITERS }, (_, i) => `writer-${i + 1}`)
  if (url === undefined) {
    for (const [i, { lost, unknown }] of (await Promise.all(writers.map((name) => increment(kv, name)))).entries()) console.log(`${writers[i]}: ${lost} lost races, ${unknown} lost answers`)
  } else {
    const processes = writers.map((name) => spawn(process.execPath, [fileURLToPath(import.meta.url), url, rootPath, name], { stdio: 'inherit' }))
    const codes = await Promise.all(processes.map((child) => once(child, 'exit')))
    assert.deepEqual(codes.map(([code]) => code), [0, 0, 0])
  }
  const count = (await read(kv, 'counter'))?.value
  console.log(`counter: ${count} after ${WRITERS} x ${TIMES} increments`)
  assert.equal(count, String(WRITERS * TIMES))
  if (url !== undefined) await kv.removeWithPrefix('')
  console.log('ok')
} else {
  const { lost, unknown } = await increment(kv, me)
  console.log(`${me} (process ${process.pid}): ${lost} lost races, ${unknown} lost answers`)
}
await kv.close()
