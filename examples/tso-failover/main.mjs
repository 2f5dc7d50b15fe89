// @ts-check
/**
 * An oracle that fails over. Three processes want to serve timestamps; one does, and it is killed again and again. Clients in this
 * process notice a pause and nothing else: no timestamp comes twice, and every later one is greater.
 *
 *     node main.mjs                              # the three share a folder: who holds it serves
 *     node main.mjs http://127.0.0.1:2379        # they share an etcd: who holds the lease serves
 */
import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { isKVError } from '@timetick/kv'
import { openEtcdKV } from '@timetick/kv/etcd'
import { openLmdbKV } from '@timetick/kv/lmdb'
import { openTimestampOracle, startTimestampLeader } from '@timetick/tso'
import { connectTimestampSource, serveTimestampOracle } from '@timetick/tso/grpc'

/**
 * The store of a folder belongs to one process; the kernel gives it free when that one dies.
 * @param {string} path
 */
async function waitForFolder(path) {
  for (;;) {
    try {
      return await openLmdbKV({ path })
    } catch (error) {
      // Locked, or its holder is dying at this moment.
      if (!isKVError(error, 'KV_LOCKED')) throw error
      await sleep(50)
    }
  }
}

/**
 * One of the three.
 * @param {string} store
 * @param {number} port
 */
async function candidate(store, port) {
  const name = `127.0.0.1:${port}`
  const onEvent = (/** @type {{ type: string }} */ { type }) => type === 'leading' && process.send?.(name)
  const oracle = store.startsWith('http')
    ? startTimestampLeader({ kv: await openEtcdKV({ hosts: store, rootPath: 'example-failover' }), name, ttlMs: 2_000, onEvent })
    : await openTimestampOracle({ kv: await waitForFolder(store) })
  await serveTimestampOracle({ oracle, port })
  if (!store.startsWith('http')) process.send?.(name)
}

/** @returns {Promise<number>} a port that was free a moment ago */
async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = /** @type {import('node:net').AddressInfo} */ (server.address())
  server.close()
  return port
}

async function main(/** @type {string | undefined} */ url) {
  const folder = await mkdtemp(join(tmpdir(), 'failover-'))
  const ports = await Promise.all([freePort(), freePort(), freePort()])
  const addresses = ports.map((port) => `127.0.0.1:${port}`)
  /** @type {string[]} who served, one after the other */
  const served = []
  const launch = (/** @type {number} */ port) =>
    fork(fileURLToPath(import.meta.url), ['--candidate', url ?? join(folder, 'kv'), String(port)]).on('message', (name) => served.push(String(name)))
  const children = ports.map(launch)
  const source = connectTimestampSource({ addresses, timeoutMs: 20_000, silenceMs: 300, maxBackoffMs: 100 })
  try {
    let [calls, greatest, longestMs, isDone] = [0, 0n, 0, false]
    const caller = async () => {
      while (!isDone) {
        const [begin, floor] = [performance.now(), greatest]
        const ts = await source.allocOne()
        assert(ts > floor, `${ts} came after ${floor}`)
        if (ts > greatest) greatest = ts
        if (calls++ > 0) longestMs = Math.max(longestMs, performance.now() - begin)
      }
    }
    const callers = Promise.all(Array.from({ length: 20 }, caller))
    const more = async () => {
      for (const target = calls + 2_000; calls < target; ) await Promise.race([sleep(10), callers])
    }
    await more()
    for (let round = 0; round < 3; round++) {
      const index = addresses.indexOf(source.states.address ?? '')
      const child = children[index]
      assert(child !== undefined)
      child.kill('SIGKILL')
      await once(child, 'exit')
      children[index] = launch(ports[index] ?? 0)
      await more()
      console.log(`oracle ${index + 1} killed, oracle ${addresses.indexOf(source.states.address ?? '') + 1} serves`)
    }
    isDone = true
    await callers
    console.log(`${calls} timestamps, none twice, all in order; the longest wait was ${Math.round(longestMs)} ms`)
    assert(served.length >= 4)
    console.log(`ok: ${served.length} terms, one order`)
  } finally {
    await source.close()
    for (const child of children) child.kill('SIGKILL')
    await rm(folder, { recursive: true, force: true })
  }
}

const [first, store, port] = process.argv.slice(2)
if (first === '--candidate' && store !== undefined) await candidate(store, Number(port))
else await main(first)
