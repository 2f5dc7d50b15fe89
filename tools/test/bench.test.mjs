import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { bruteForce, latentQueries, latentVectors, recallAt } from '../../bench/src/data.mjs'
import { inFlight, percentile, Skip } from '../../bench/src/measure.mjs'
import { formatRow, short, writeResults } from '../../bench/src/results.mjs'
import { isChosen, isMet, loadFamilies, measureFamily, measureRow } from '../../bench/src/runner.mjs'

const values = (...list) => () => list.shift()

test('a row is measured A B A B, five times after a warm-up, and gives medians', async () => {
  const order = []
  const ours = values(99, 1, 2, 3, 4, 5)
  const row = { id: 'a.b', work: 'w', unit: '/s', reference: 'raw', goal: { op: '>=', value: 0.3 }, measure: () => (order.push('A'), ours()), measureReference: () => (order.push('B'), 10) }
  const result = await measureRow(row)
  assert.equal(order.join(''), 'AB'.repeat(6))
  assert.deepEqual(result, { id: 'a.b', work: 'w', unit: '/s', value: 3, reference: 'raw', referenceValue: 10, ratio: 0.3, goal: row.goal, met: true, runs: 5, spread: 4 / 3 })
})

test('what cannot be measured is skipped with a reason, what broke says so, and both are closed', async () => {
  const closed = []
  const base = { id: 'a', work: 'w', unit: '/s', open: () => 1, close: (context) => closed.push(context) }
  const skipped = await measureRow({ ...base, measure: () => { throw new Skip('no server') } })
  assert.equal(skipped.skipped, 'no server')
  assert.equal(skipped.failed, undefined)
  const broken = await measureRow({ ...base, measure: () => NaN })
  assert.match(broken.skipped, /failed: measure gave NaN/)
  assert.ok(broken.failed)
  assert.deepEqual(closed, [1, 1])
  const rows = []
  await measureFamily({ rows: [base], prepare: () => { throw new Skip('no peer') } }, ['a'], (row) => rows.push(row))
  assert.equal(rows[0].skipped, 'no peer')
})

test('goals are on the ratio where there is one', () => {
  assert.equal(isMet({ op: '>=', value: 0.8 }, 1, 0.9), true)
  assert.equal(isMet({ op: '>=', value: 0.8, of: 'value' }, 0.1, 0.9), false)
  assert.equal(isMet({ op: '<=', value: 2 }, 3, undefined), false)
  assert.equal(isMet(undefined, 3, undefined), undefined)
})

test('filters take a family, a group or an id', () => {
  assert.ok(isChosen('kv.lmdb.put64', ['kv']))
  assert.ok(isChosen('kv.lmdb.put64', ['tso', 'kv.lmdb']))
  assert.ok(!isChosen('kv.lmdb.put64', ['kv.lm']))
  assert.ok(isChosen('id.alloc', ['tso'], 'tso'))
})

test('every family loads, and ids are unique', async () => {
  const families = await loadFamilies()
  assert.deepEqual(families.filter(({ problem }) => problem !== undefined), [])
  const ids = families.flatMap(({ module }) => module.rows.map(({ id }) => id))
  assert.equal(new Set(ids).size, ids.length)
  assert.ok(ids.length >= 15)
})

test('the data is the same for the same seed, spread as said, and the truth is the truth', () => {
  const vectors = latentVectors(2000)
  assert.deepEqual(latentVectors(10), vectors.subarray(0, 1280))
  let square = 0
  for (const x of vectors) square += x * x
  assert.ok(Math.abs(square / vectors.length - 1.04) < 0.1, `variance ${square / vectors.length}`)
  const queries = latentQueries(3)
  const truth = bruteForce(vectors, queries, { k: 5, keep: (row) => row % 2 === 0 })
  const distance = (row) => vectors.subarray(row * 128, row * 128 + 128).reduce((sum, x, d) => sum + (x - queries[d]) ** 2, 0)
  const sorted = Array.from({ length: 1000 }, (_, i) => i * 2).sort((a, b) => distance(a) - distance(b)).slice(0, 5)
  assert.deepEqual([...truth.subarray(0, 5)], sorted)
  assert.equal(recallAt([sorted, [], []], truth, 5), 1 / 3)
})

test('calls in flight are bounded, and percentiles are right', async () => {
  let now = 0
  let most = 0
  const { latencies } = await inFlight(async () => {
    most = Math.max(most, ++now)
    await new Promise((resolve) => setImmediate(resolve))
    now -= 1
  }, { total: 50, width: 8 })
  assert.equal(most, 8)
  assert.equal(latencies.length, 50)
  assert.equal(percentile([4, 1, 3, 2], 0.5), 2.5)
  assert.equal(percentile([5], 0.99), 5)
})

test('results keep rows of the same commit and have the agreed form', () => {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'timetick-results-'))
  const file = path.join(dir, 'latest.json')
  const row = (id, value) => ({ id, work: 'w', unit: '/s', value, runs: 5, spread: 0.1, failed: undefined })
  try {
    writeResults([row('b', 1), row('a', 1)], file)
    writeResults([row('b', 2)], file)
    const result = JSON.parse(readFileSync(file, 'utf8'))
    assert.deepEqual(Object.keys(result), ['machine', 'node', 'date', 'commit', 'rows'])
    assert.deepEqual(result.rows.map(({ id, value }) => [id, value]), [['a', 1], ['b', 2]])
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
  assert.equal(short(1_234_567), '1.23 M')
  assert.equal(short(12_345), '12.3 k')
  assert.match(formatRow({ id: 'x', skipped: 'no server' }), /skipped: no server/)
})
