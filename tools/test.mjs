/**
 * `npm test`: installs, builds, starts the servers that tests declare, and tests everything. The last line is `N passed, N failed`; above
 * it stands what could not be tested. `npm test -- kv tools` runs only suites whose title contains one of these words; `--soak` the long rings.
 *
 * Environment: CI=true (all rings of CI, and other versions of Node), REQUIRE_SERVICES=1 (what cannot be tested fails). Tests see
 * TIMETICK_RING=default|ci|soak.
 */
import { parseArgs } from 'node:util'

const { values, positionals: words } = parseArgs({ allowPositionals: true, options: { soak: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } } })
if (values.help) {
  console.log('Usage: npm test [-- [words ...] [--soak]]\n\nRuns the suites whose title contains one of the words, or all. CI=true adds the long rings and Node 22 and 24;\nREQUIRE_SERVICES=1 makes what cannot be tested a failure.')
  process.exit(0)
}

const isTrue = (value) => value !== undefined && value !== '' && value !== '0' && value !== 'false'
const isCI = isTrue(process.env.CI)
const requireServices = isTrue(process.env.REQUIRE_SERVICES)
const ring = values.soak ? 'soak' : (process.env.TIMETICK_RING ?? (isCI ? 'ci' : 'default'))
const minute = 60_000
const suiteTimeoutMs = { default: 10, ci: 40, soak: 24 * 60 }[ring] * minute
if (Number.isNaN(suiteTimeoutMs)) throw new RangeError(`expected TIMETICK_RING to be default, ci or soak, got ${JSON.stringify(ring)}`)

const begin = performance.now()
const { ensureInstalled } = await import('./lib/install.mjs')
const { listPackages, listWorkspaces, repoRoot } = await import('./lib/repo.mjs')
const { Report } = await import('./lib/report.mjs')
const report = new Report()

/** A missing server or runtime: said at the end, or a failure where all must be there. */
const untested = (what, reason) => {
  if (requireServices) report.check(what, { ok: false, output: reason, failures: [`required, but ${reason}`] })
  else report.untested(`${what}: ${reason}`)
}
const isWanted = (title) => words.length === 0 || words.some((word) => title.includes(word))

/** Without dependencies nothing can be tested; after a failed build the rest still tells something. */
async function prepare() {
  try {
    ensureInstalled()
  } catch (error) {
    report.check('install', { ok: false, output: error.message })
    return false
  }
  try {
    const { ensureBuilt } = await import('./lib/build.mjs')
    ensureBuilt('all', listWorkspaces())
  } catch (error) {
    report.check('build', { ok: false, output: error.message })
  }
  return true
}

async function lint(workspaces) {
  const { exec, binOf } = await import('./lib/exec.mjs')
  const path = await import('node:path')
  const env = { TURBO_TELEMETRY_DISABLED: '1', TURBO_NO_UPDATE_NOTIFIER: '1', DO_NOT_TRACK: '1', PATH: `${binOf('.bin')}${path.delimiter}${process.env.PATH}` }
  for (const { name, manifest, path: where } of workspaces) {
    const title = `${where} lint`
    if (manifest.scripts?.lint === undefined || !isWanted(title)) continue
    const { code, output, ms } = await exec(binOf('.bin/turbo'), ['run', 'lint', '--only', `--filter=${name}`, '--output-logs=errors-only'], { env })
    report.check(title, { ok: code === 0, ms, output })
  }
}

async function unit(workspaces, serviceEnv, node, suffix = '') {
  const { runVitest } = await import('./lib/runners.mjs')
  for (const { dir, manifest, path: where } of workspaces) {
    const title = `${where} test${suffix}`
    if (manifest.scripts?.test === undefined || !isWanted(title)) continue
    report.suite(title, await runVitest({ dir, node, env: { TIMETICK_RING: ring, ...serviceEnv }, timeoutMs: suiteTimeoutMs }))
  }
}

async function otherNodes(packages, serviceEnv) {
  const { nodeOf } = await import('./lib/nodes.mjs')
  for (const major of [20, 22, 24].filter((version) => version !== Number(process.versions.node.split('.')[0]))) {
    if (!isWanted(`Node ${major}`)) continue
    try {
      const program = await nodeOf(major)
      await unit(packages, { ...serviceEnv, TIMETICK_RING: ring === 'ci' ? 'default' : ring }, program, ` on Node ${major}`)
    } catch (error) {
      untested(`packages on Node ${major}`, error.message)
    }
  }
}

/** Results of the form `{ name, problem }` as one suite. */
function checks(title, results, ms) {
  const bad = results.filter(({ problem }) => problem !== undefined)
  report.suite(title, { passed: results.length - bad.length, failed: bad.length, ms, output: bad.map(({ name, problem }) => `${name}: ${problem}`).join('\n'), failures: bad.map(({ name }) => name) })
}

async function houseChecks() {
  if (isWanted('tools test')) {
    const { runNodeTests } = await import('./lib/runners.mjs')
    report.suite('tools test', await runNodeTests({ dir: `${repoRoot}/tools`, files: ['test/'], timeoutMs: 5 * minute }))
  }
  if (isWanted('README checks')) {
    const start = performance.now()
    const { checkReadmes } = await import('./readme-check.mjs')
    checks('README checks', await checkReadmes(), performance.now() - start)
  }
  if (isWanted('pack checks')) {
    const start = performance.now()
    const { checkPacks } = await import('./pack-check.mjs')
    const { results, untested: left } = await checkPacks()
    checks('pack checks', results, performance.now() - start)
    for (const reason of left) untested('pack checks', reason)
  }
}

async function main() {
  if (!(await prepare())) return
  const workspaces = [...listPackages(), ...listWorkspaces(['examples', 'examples/insight'])]
  const { startDeclared } = await import('./lib/services-for-tests.mjs')
  const services = await startDeclared(workspaces.filter(({ path: where }) => isWanted(`${where} test`)))
  for (const { name, reason } of services.missing) untested(`everything that needs ${name}`, reason)
  try {
    await lint([...workspaces, ...listWorkspaces(['']).filter(({ path: where }) => where === 'tools')])
    await unit(workspaces, services.env, process.execPath)
    await houseChecks()
    if (isCI && ring !== 'soak') await otherNodes(listPackages(), services.env)
  } finally {
    await services.stop()
  }
}

try {
  await main()
} catch (error) {
  report.check('npm test itself', { ok: false, output: error.stack })
}
console.log(`\n${((performance.now() - begin) / minute).toFixed(1)} min, ring ${ring}, Node ${process.versions.node}`)
process.exit(report.finish())
