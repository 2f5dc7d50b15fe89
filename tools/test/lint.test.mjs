import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { repoRoot } from '../lib/repo.mjs'

const BAD = `
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { randomBytes } from 'node:crypto'
export const now = [Date.now(), performance.now(), Math.random(), readFileSync, connect, randomBytes]
export async function wait(): Promise<void> { await Promise.resolve() }
export function run(kind: 'a' | 'b', anything: any): void {
  wait()
  setTimeout(() => { console.log(anything) }, 1)
  switch (kind) {
    case 'a':
      break
  }
}
`

/** Lints `files` as a package of a scratch repository, and gives the rules that complained per file. */
function lint(files) {
  const root = mkdtempSync(path.join(os.tmpdir(), 'timetick-lint-'))
  try {
    for (const name of ['.oxlintrc.json', 'tsconfig.base.json']) copyFileSync(path.join(repoRoot, name), path.join(root, name))
    symlinkSync(path.join(repoRoot, 'node_modules'), path.join(root, 'node_modules'))
    const dir = path.join(root, 'packages/sample')
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(path.dirname(path.join(dir, name)), { recursive: true })
      writeFileSync(path.join(dir, name), text)
    }
    writeFileSync(path.join(dir, 'tsconfig.json'), JSON.stringify({ extends: '../../tsconfig.base.json', include: ['src', 'test'] }))
    const bin = path.join(repoRoot, 'node_modules/oxlint/bin/oxlint')
    const run = spawnSync(process.execPath, [bin, '-c', '../../.oxlintrc.json', '--type-aware', '-f', 'unix', 'src', 'test'], { cwd: dir, encoding: 'utf8', env: { ...process.env, PATH: `${path.join(repoRoot, 'node_modules/.bin')}:${process.env.PATH}` } })
    const rules = {}
    for (const line of run.stdout.split('\n')) {
      const match = /^([^:]+):\d+:\d+: .*\((.*)\)\]$/.exec(line)
      if (match !== null) (rules[match[1]] ??= new Set()).add(match[2])
    }
    return { rules, status: run.status, text: run.stdout + run.stderr }
  } finally {
    rmSync(root, { recursive: true, force: true })
  }
}

test('the linter finds floating promises, any, open switches, and time, disk, network and chance outside edge files', () => {
  const long = `export const lines = [\n${'  1,\n'.repeat(400)}]\n`
  const { rules, status, text } = lint({
    'src/bad.ts': BAD, 'src/edge.ts': BAD, 'src/clock.edge.ts': BAD, 'src/edge/clock.ts': BAD, 'src/long.ts': long, 'test/bad.test.ts': BAD,
  })
  assert.equal(status, 1, text)
  const always = ['no-floating-promises', 'no-explicit-any', 'switch-exhaustiveness-check']
  const core = ['no-restricted-imports', 'no-restricted-globals', 'no-restricted-properties']
  for (const rule of [...always, ...core]) assert.ok(rules['src/bad.ts']?.has(rule), `${rule} is silent\n${text}`)
  for (const file of ['src/edge.ts', 'src/clock.edge.ts', 'src/edge/clock.ts', 'test/bad.test.ts']) {
    for (const rule of always) assert.ok(rules[file]?.has(rule), `${rule} is silent in ${file}`)
    for (const rule of core) assert.ok(!rules[file].has(rule), `${rule} complains in ${file}`)
  }
  assert.ok(rules['src/long.ts']?.has('max-lines'))
})

test('clean code passes', () => {
  const { status, text } = lint({ 'src/good.ts': 'export const one = 1\n', 'test/good.test.ts': `import { one } from '../src/good.ts'\nexport const two = one + 1\n` })
  assert.equal(status, 0, text)
})
