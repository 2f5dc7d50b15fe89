// @ts-check
/**
 * Ids and timestamps for rows, from a store in a folder. The first process is killed while it inserts; the second goes on.
 * No id and no timestamp is given twice, and all of the second process are greater.
 *
 *     node main.mjs
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { openLmdbKV } from '@timetick/kv/lmdb'
import { openIdSource, openTimestampOracle, startIdAllocator, startTimestampAllocator, timestampToDate } from '@timetick/tso'

/** @typedef {{ id: bigint, ts: bigint }} Row */

/**
 * One life of a service. Every batch of rows takes its ids and its timestamp while others do the same.
 * @param {string} path
 * @param {number} batches
 * @param {(rows: Row[]) => void} insert
 */
async function serve(path, batches, insert) {
  const kv = await openLmdbKV({ path })
  const oracle = await openTimestampOracle({ kv, rootPath: 'tso' })
  const timestamps = startTimestampAllocator({ source: oracle })
  const idSource = await openIdSource({ kv, rootPath: 'ids', step: 1_000 })
  const ids = startIdAllocator({ source: idSource })
  for (let round = 0; round < batches / 10; round++) {
    await Promise.all(
      Array.from({ length: 10 }, async () => {
        const [range, ts] = await Promise.all([ids.alloc(20), timestamps.allocOne()])
        insert(Array.from(range, (id) => ({ id, ts })))
      }),
    )
  }
  for (const part of [ids, idSource, timestamps, oracle, kv]) await part.close()
}

/**
 * The same in a process of its own, killed without warning after about `rows` rows.
 * @param {string} path
 * @param {number} rows
 * @returns {Promise<Row[]>} what it had inserted by then
 */
async function serveAndDie(path, rows) {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url), '--serve', path], { stdio: ['ignore', 'pipe', 'inherit'] })
  /** @type {Row[]} */
  const inserted = []
  const gone = new Promise((resolve) => child.once('close', (_, signal) => resolve(signal)))
  for await (const line of createInterface({ input: child.stdout })) {
    const [, ids, ts] = /^([\d,]+) (\d+);$/.exec(line) ?? [] // the last line may be torn
    if (ids === undefined || ts === undefined) continue
    inserted.push(...ids.split(',').map((id) => ({ id: BigInt(id), ts: BigInt(ts) })))
    if (inserted.length >= rows) child.kill('SIGKILL')
  }
  assert.equal(await gone, 'SIGKILL')
  return inserted
}

/** @param {Row[]} rows */
function report(rows) {
  const [first, last] = [rows[0], rows.at(-1)]
  assert(first !== undefined && last !== undefined)
  console.log(`  ${rows.length} rows, ids ${first.id} to ${last.id}, last timestamp ${last.ts} (${timestampToDate(last.ts).toISOString()})`)
}

async function main() {
  const path = await mkdtemp(join(tmpdir(), 'row-ids-'))
  try {
    console.log('first process, killed in the middle:')
    const before = await serveAndDie(path, 3_000)
    report(before)

    console.log('second process, on the same folder:')
    /** @type {Row[]} */
    const after = []
    await serve(path, 100, (rows) => after.push(...rows))
    report(after)

    const all = [...before, ...after]
    assert.equal(new Set(all.map((row) => row.id)).size, all.length, 'an id came twice')
    const maxOf = (/** @type {bigint[]} */ values) => values.reduce((a, b) => (a > b ? a : b))
    const [lastId, lastTs] = [maxOf(before.map((row) => row.id)), maxOf(before.map((row) => row.ts))]
    assert(after.every((row) => row.id > lastId && row.ts > lastTs), 'the second process went back')
    const batches = new Set(all.map((row) => row.ts)).size
    assert.equal(batches, all.length / 20, 'two batches share a timestamp')
    console.log(`ok: ${all.length} different ids, ${batches} different timestamps`)
  } finally {
    await rm(path, { recursive: true, force: true })
  }
}

const [mode, path] = process.argv.slice(2)
if (mode === '--serve' && path !== undefined) {
  await serve(path, 1_000_000, (rows) => void process.stdout.write(`${rows.map(({ id }) => id).join(',')} ${rows[0]?.ts};\n`))
} else await main()
