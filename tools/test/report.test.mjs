import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { exec } from '../lib/exec.mjs'
import { installReason } from '../lib/install.mjs'
import { Report } from '../lib/report.mjs'
import { failedPart, runNodeTests, summarizeTap, summarizeVitest } from '../lib/runners.mjs'
import { declaredServices } from '../lib/services-for-tests.mjs'

const finish = (fill) => {
  const lines = []
  const report = new Report((line) => lines.push(line))
  fill(report)
  const code = report.finish()
  return { code, text: lines.join('\n'), last: lines.join('\n').split('\n').at(-1) }
}

test('the last line counts everything, and a failure gives exit code 1', () => {
  const good = finish((report) => {
    report.suite('a', { passed: 3 })
    report.check('b', { ok: true })
    report.untested('etcd: not there')
  })
  assert.equal(good.last, '4 passed, 0 failed')
  assert.equal(good.code, 0)
  assert.match(good.text, /Not tested:\n {2}etcd: not there/)
  const bad = finish((report) => report.suite('a', { passed: 3, failed: 2, failures: ['x', 'y'], output: 'why' }))
  assert.equal(bad.last, '3 passed, 2 failed')
  assert.equal(bad.code, 1)
  assert.match(bad.text, /why[\s\S]*a: x\n {2}a: y/)
})

test('a suite that ran nothing has failed, and so has a run without suites', () => {
  assert.equal(finish((report) => report.suite('a', {})).last, '0 passed, 1 failed')
  assert.equal(finish(() => {}).code, 1)
})

const file = (status, tests, message = '') => ({ name: '/x/a.test.ts', status, message, assertionResults: tests.map((s, i) => ({ status: s, fullName: `t${i}` })) })

test('vitest: crashes, files that do not load, stray errors and empty runs are failures', () => {
  assert.deepEqual(summarizeVitest({ numPassedTests: 2, testResults: [file('passed', ['passed', 'passed'])] }, 0), { passed: 2, failed: 0, failures: [], untested: [] })
  assert.equal(summarizeVitest(undefined, 1).failed, 1)
  assert.equal(summarizeVitest({ numPassedTests: 0, testResults: [] }, 0).failed, 1)
  assert.equal(summarizeVitest({ numPassedTests: 1, testResults: [file('passed', ['passed'])] }, 1).failed, 1)
  assert.deepEqual(summarizeVitest({ numPassedTests: 1, testResults: [file('failed', [], 'SyntaxError: x\n at'), file('failed', ['failed', 'passed'])] }, 1).failures, ['a.test.ts could not be run: SyntaxError: x', 'a.test.ts > t0'])
  assert.deepEqual(summarizeVitest({ numPassedTests: 1, testResults: [file('passed', ['passed', 'skipped'])] }, 0).untested, ['1 skipped in a.test.ts'])
})

test('node --test: failures and skips are seen', async () => {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'timetick-tap-'))
  try {
    writeFileSync(path.join(dir, 'a.test.mjs'), `import { test } from 'node:test'\ntest('good', () => {})\ntest('bad', () => { throw new Error('no') })\ntest('left', (t) => t.skip('no server'))\n`)
    const result = await runNodeTests({ dir, files: ['a.test.mjs'], timeoutMs: 20_000 })
    assert.equal(result.passed, 1)
    assert.equal(result.failed, 1)
    assert.ok(result.failures.includes('bad'))
    assert.deepEqual(result.untested, ['left (no server)'])
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
  assert.equal(summarizeTap('# pass 2\n# fail 0', 0).failed, 0)
  assert.equal(summarizeTap('', 1).failed, 1)
})

test('a program that hangs is ended with all its children', async () => {
  const child = `require('child_process').spawn(process.execPath, ['-e', 'setInterval(()=>{},1000)'], { stdio: 'inherit' }); setInterval(() => {}, 1000)`
  const { timedOut, ms } = await exec(process.execPath, ['-e', child], { timeoutMs: 500 })
  assert.ok(timedOut)
  assert.ok(ms < 5000)
})

test('services are declared in package.json', () => {
  const workspace = (...services) => ({ name: 'x', manifest: { timetick: { services } } })
  assert.deepEqual(declaredServices([workspace('redis'), workspace('etcd', 'redis'), { name: 'y', manifest: {} }]), ['etcd', 'redis'])
  assert.throws(() => declaredServices([workspace('oracle')]), /asks for the service "oracle"/)
})

test('an install is needed when node_modules is missing or differs from the lock file', () => {
  const root = mkdtempSync(path.join(os.tmpdir(), 'timetick-install-'))
  const write = (name, packages) => writeFileSync(path.join(root, name), JSON.stringify({ packages }))
  try {
    write('package-lock.json', { '': {}, 'node_modules/a': { version: '1.0.0' }, 'node_modules/b': { version: '1.0.0', optional: true } })
    assert.match(installReason(root), /missing/)
    mkdirSync(path.join(root, 'node_modules'))
    write('node_modules/.package-lock.json', { 'node_modules/a': { version: '1.0.0' } })
    utimesSync(path.join(root, 'node_modules/.package-lock.json'), 1, 1)
    assert.equal(installReason(root), undefined)
    write('package-lock.json', { '': {}, 'node_modules/a': { version: '2.0.0' } })
    assert.match(installReason(root), /node_modules\/a/)
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
})

test('of a long run only what failed is shown', () => {
  const passed = 'ok\n'.repeat(500)
  assert.equal(failedPart(`${passed}----- Failed Tests 1 -----\n\n FAIL a > b\n`), '----- Failed Tests 1 -----\n\n FAIL a > b\n')
  assert.equal(failedPart('crashed before a test ran\n'), 'crashed before a test ran\n')
})
