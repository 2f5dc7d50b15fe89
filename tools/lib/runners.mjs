/** Test runners as suites of a report: whatever a runner does, a suite that crashed or ran nothing has failed. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { binOf, exec } from './exec.mjs'

/** Reads vitest's JSON report; `code` is the exit code of the run. */
export function summarizeVitest(report, code) {
  if (report === undefined) return { passed: 0, failed: 1, failures: [`crashed (exit code ${code})`], untested: [] }
  const failures = []
  const untested = []
  for (const file of report.testResults ?? []) {
    const name = path.basename(file.name)
    const failed = file.assertionResults.filter((test) => test.status === 'failed')
    failures.push(...failed.map((test) => `${name} > ${test.fullName.trim()}`))
    if (file.status === 'failed' && failed.length === 0) failures.push(`${name} could not be run: ${String(file.message).split('\n')[0]}`)
    const left = file.assertionResults.filter((test) => ['skipped', 'pending', 'todo', 'disabled'].includes(test.status))
    if (left.length > 0) untested.push(`${left.length} skipped in ${name}`)
  }
  if (failures.length === 0 && code !== 0) failures.push(`exit code ${code} although no test failed`)
  if (failures.length === 0 && (report.numPassedTests ?? 0) === 0) failures.push('ran no test')
  return { passed: report.numPassedTests ?? 0, failed: failures.length, failures, untested }
}

/** What vitest says of the failures, without the list of what passed that stands before it. */
export function failedPart(output) {
  const begin = output.search(/^.*Failed (Suites|Tests) \d+/m)
  return begin === -1 ? output : output.slice(begin)
}

/** Runs a workspace's vitest with `node`. */
export async function runVitest({ dir, node = process.execPath, env, timeoutMs }) {
  const scratch = mkdtempSync(path.join(os.tmpdir(), 'timetick-report-'))
  const file = path.join(scratch, 'report.json')
  try {
    const args = [binOf('vitest/vitest.mjs'), 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${file}`]
    const { code, output, ms, timedOut } = await exec(node, args, { cwd: dir, env: { NO_COLOR: '1', FORCE_COLOR: '0', ...env }, timeoutMs })
    const result = summarizeVitest(existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined, code)
    if (timedOut) result.failures.push(`stopped after ${Math.round(ms / 1000)} s`)
    return { ...result, failed: result.failures.length, output: failedPart(output), ms }
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

/** Reads the end of a TAP stream of `node --test`. */
export function summarizeTap(text, code) {
  const number = (key) => Number(new RegExp(`^# ${key} (\\d+)$`, 'm').exec(text)?.[1] ?? 0)
  const failures = [...text.matchAll(/^ *not ok \d+ - (.*)$/gm)].map((match) => match[1]).filter((name) => !name.includes('# SKIP'))
  const untested = [...text.matchAll(/^ *ok \d+ - (.*?) # SKIP *(.*)$/gm)].map((match) => `${match[1]} (${match[2] || 'skipped'})`)
  const failed = number('fail') + number('cancelled')
  if (failed === 0 && code !== 0) failures.push(`exit code ${code} although no test failed`)
  return { passed: number('pass'), failed: Math.max(failed, failures.length > 0 ? 1 : 0), failures, untested }
}

/** Runs the tests of a folder with `node --test`. */
export async function runNodeTests({ dir, files, env, timeoutMs }) {
  const { code, output, ms, timedOut } = await exec(process.execPath, ['--test', '--test-reporter=tap', ...files], { cwd: dir, env: { NODE_TEST_CONTEXT: undefined, ...env }, timeoutMs })
  const result = summarizeTap(output, code)
  if (timedOut) result.failures.push(`stopped after ${Math.round(ms / 1000)} s`)
  return { ...result, output, ms }
}
