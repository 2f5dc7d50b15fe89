/**
 * `npm run bench [-- family | group | id ...]`: measures, prints a table, writes bench/results/latest.json. A missed goal is printed and fails nothing;
 * a row that broke gives exit code 1.
 */
import { ensureBuilt } from './lib/build.mjs'
import { ensureInstalled } from './lib/install.mjs'
import { listWorkspaces } from './lib/repo.mjs'

const filters = process.argv.slice(2)
if (filters.includes('--help') || filters.includes('-h')) {
  console.log('Usage: npm run bench [-- family | group | id ...]\n\nFor example: npm run bench -- kv, npm run bench -- kv.lmdb, npm run bench -- tso.hlc.now')
  process.exit(0)
}
if (!process.env.TIMETICK_BENCH_AS_IS) {
  ensureInstalled()
  ensureBuilt('all', listWorkspaces())
}
const { runBench } = await import('../bench/src/runner.mjs')
const { formatRow, HEADER, resultsFile, writeResults } = await import('../bench/src/results.mjs')
console.log(formatRow(HEADER))
const rows = await runBench(filters, (row) => {
  console.log(formatRow(row))
  if (row.failed !== undefined) console.error(row.failed)
})
if (rows.length === 0) {
  console.error(`no row matches ${filters.join(' ')}`)
  process.exit(2)
}
const { machine, node, commit } = writeResults(rows)
const met = rows.filter((row) => row.met === true).length
const missed = rows.filter((row) => row.met === false).length
const skipped = rows.filter((row) => row.skipped !== undefined).length
console.log(`\n${met} goals met, ${missed} missed, ${skipped} rows skipped. ${machine}, Node ${node}, ${commit}. ${resultsFile}`)
process.exit(rows.some((row) => row.failed !== undefined) ? 1 : 0)
