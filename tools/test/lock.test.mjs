import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import { missingEntries, platformOf } from '../complete-lock.mjs'
import { repoRoot } from '../lib/repo.mjs'

const text = readFileSync(path.join(repoRoot, 'package-lock.json'), 'utf8')

test('names tell platforms', () => {
  assert.deepEqual(platformOf('@oxlint/binding-linux-x64-musl'), { cpu: ['x64'], libc: ['musl'], os: ['linux'] })
  assert.deepEqual(platformOf('@turbo/windows-64'), { cpu: ['x64'], os: ['win32'] })
  assert.deepEqual(platformOf('@rollup/rollup-linux-arm-gnueabihf'), { cpu: ['arm'], libc: ['glibc'], os: ['linux'] })
  assert.equal(platformOf('fsevents'), undefined)
})

test('a missing binary is found and added, with the version that was asked for', () => {
  const packages = { '': {}, 'node_modules/a': { dev: true, optionalDependencies: { 'a-linux-x64': '1.0.0', 'a-darwin-arm64': '1.0.0' } }, 'node_modules/a-linux-x64': { version: '1.0.0' } }
  assert.deepEqual(missingEntries({ packages }), { 'node_modules/a-darwin-arm64': { version: '1.0.0', cpu: ['arm64'], os: ['darwin'], dev: true, optional: true } })
  assert.throws(() => missingEntries({ packages: { '': { optionalDependencies: { strange: '^1' } } } }), /strange@\^1/)
})

test('the lock file has an entry for every optional dependency, so that npm ci works: else run node tools/complete-lock.mjs', () => {
  assert.deepEqual(Object.keys(missingEntries(JSON.parse(text))), [])
})

test('the lock file names no registry', () => {
  assert.doesNotMatch(text, /"resolved": "https?:/)
})
