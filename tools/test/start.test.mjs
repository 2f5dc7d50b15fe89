import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { appendFileSync, chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { after, before, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { repoRoot } from '../lib/repo.mjs'

/** A scratch repository with a node of a few lines and a build tool that only writes it. */
let root
const file = (name) => path.join(root, name)
const write = (name, text) => {
  mkdirSync(path.dirname(file(name)), { recursive: true })
  writeFileSync(file(name), text)
}

const PROGRAM = `
console.log(JSON.stringify({ args: process.argv.slice(2), program: process.argv[1] }))
let count = 0
if (process.argv.includes('--serve')) {
  const timer = setInterval(() => {}, 1000)
  process.on('SIGTERM', () => { count += 1; console.log('signal ' + count); if (count === 2) process.exit(130); setTimeout(() => { clearInterval(timer); process.exit(0) }, 1500) })
  console.log('serving')
} else process.exitCode = 3
`

before(() => {
  root = mkdtempSync(path.join(os.tmpdir(), 'timetick-start-'))
  cpSync(path.join(repoRoot, 'tools/start.mjs'), file('tools/start.mjs'))
  cpSync(path.join(repoRoot, 'tools/lib'), file('tools/lib'), { recursive: true })
  write('package.json', '{ "private": true, "type": "module" }')
  write('tsconfig.base.json', '{}')
  write('package-lock.json', '{ "packages": {} }')
  write('node_modules/.package-lock.json', '{ "packages": {} }')
  write('packages/.keep', '')
  write('examples/mini-milvus/package.json', JSON.stringify({ name: 'mini-milvus', type: 'module', bin: { 'mini-milvus': './dist/cli.js' } }))
  write('examples/mini-milvus/src/cli.ts', PROGRAM)
  write('node_modules/.bin/turbo', `#!${process.execPath}
const fs = require('fs')
fs.appendFileSync('builds.log', process.argv.slice(2).join(' ') + '\\n')
console.log('the build speaks')
fs.mkdirSync('examples/mini-milvus/dist', { recursive: true })
fs.copyFileSync('examples/mini-milvus/src/cli.ts', 'examples/mini-milvus/dist/cli.js')
`)
  chmodSync(file('node_modules/.bin/turbo'), 0o755)
})
after(() => rmSync(root, { recursive: true, force: true }))

const builds = () => (existsSync(file('builds.log')) ? readFileSync(file('builds.log'), 'utf8').trim().split('\n').length : 0)

function start(...args) {
  const child = spawn(process.execPath, ['tools/start.mjs', ...args], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  const all = { out: '', err: '' }
  child.stdout.on('data', (chunk) => (all.out += chunk))
  child.stderr.on('data', (chunk) => (all.err += chunk))
  const ended = new Promise((resolve) => child.once('close', (code, signal) => resolve({ code, signal, ...all })))
  return { child, all, ended }
}
const until = async (condition) => {
  for (let i = 0; !condition(); i += 1) {
    assert.ok(i < 500, String(condition))
    await sleep(10)
  }
}

test('the first start builds, passes arguments on, and gives the exit code of the node', async () => {
  const { code, out, err } = await start('--help', '--port', '0').ended
  assert.equal(code, 3, err)
  assert.deepEqual(JSON.parse(out).args, ['--help', '--port', '0'])
  assert.match(JSON.parse(out).program, /examples\/mini-milvus\/dist\/cli\.js$/)
  assert.equal(builds(), 1)
  assert.match(err, /Building/)
})

test('the second does not, and is quick', async () => {
  const begin = performance.now()
  const { out, err } = await start().ended
  assert.equal(builds(), 1)
  assert.equal(err, '')
  assert.equal(out.split('\n').length, 2, 'nothing but the node speaks on standard output')
  assert.ok(performance.now() - begin < 2000)
})

test('a changed source, or a lost output, builds again', async () => {
  appendFileSync(file('examples/mini-milvus/src/cli.ts'), '// changed\n')
  await start().ended
  assert.equal(builds(), 2)
  rmSync(file('examples/mini-milvus/dist'), { recursive: true })
  await start().ended
  assert.equal(builds(), 3)
})

test('a signal reaches the node; its echo does not count, a second one by the user does', async () => {
  const first = start('--serve')
  await until(() => first.all.out.includes('serving'))
  first.child.kill('SIGTERM')
  await until(() => first.all.out.includes('signal 1'))
  first.child.kill('SIGTERM')
  assert.equal((await first.ended).code, 0)
  assert.ok(!first.all.out.includes('signal 2'))

  const second = start('--serve')
  await until(() => second.all.out.includes('serving'))
  second.child.kill('SIGTERM')
  await until(() => second.all.out.includes('signal 1'))
  await sleep(400)
  second.child.kill('SIGTERM')
  assert.equal((await second.ended).code, 130)
})

test('a shell between that dies of the signal does not leave the node behind', async () => {
  const shell = spawn('sh', ['-c', `'${process.execPath}' tools/start.mjs --serve; true`], { cwd: root, stdio: ['ignore', 'pipe', 'ignore'] })
  let out = ''
  shell.stdout.on('data', (chunk) => (out += chunk))
  const closed = new Promise((resolve) => shell.once('close', resolve))
  await until(() => out.includes('serving'))
  shell.kill('SIGTERM')
  await closed
  assert.match(out, /signal 1/)
})

test('a build that fails ends the start with a message', async () => {
  write('node_modules/.bin/turbo', `#!${process.execPath}\nprocess.exit(1)\n`)
  appendFileSync(file('examples/mini-milvus/src/cli.ts'), '// changed again\n')
  const { code, err, out } = await start().ended
  assert.equal(code, 1)
  assert.equal(out, '')
  assert.match(err, /The build failed/)
  assert.ok(!err.includes('    at '))
})
