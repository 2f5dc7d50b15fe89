import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import net from 'node:net'
import os from 'node:os'
import path from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { repoRoot } from '../lib/repo.mjs'
import { startService } from '../services/index.mjs'
import { freePorts } from '../services/ports.mjs'
import { isAlive, startTimeOf } from '../services/procfs.mjs'
import { httpOk, tcpReply } from '../services/ready.mjs'

const until = async (condition, ms = 10_000) => {
  const deadline = Date.now() + ms
  while (!(await condition())) {
    assert.ok(Date.now() < deadline, `not within ${ms} ms: ${condition}`)
    await sleep(20)
  }
}
const answers = (port) => tcpReply(port, Buffer.from('PING\r\n'), (reply) => reply.toString().startsWith('+PONG'))
/** A server, or undefined where it cannot be had; with REQUIRE_SERVICES=1 that fails instead. */
const startOr = async (t, name, options) => {
  try {
    return await startService(name, options)
  } catch (error) {
    if (process.env.REQUIRE_SERVICES === '1') throw error
    t.skip(`${name}: ${error.message}`)
    return undefined
  }
}

test('ports are different, free, and below the ephemeral range', async () => {
  const ports = await freePorts(20)
  assert.equal(new Set(ports).size, 20)
  for (const port of ports) assert.ok(port >= 20_000 && port < 30_000)
  const taken = net.createServer().listen(ports[0], '127.0.0.1')
  await new Promise((resolve) => taken.once('listening', resolve))
  await new Promise((resolve) => taken.close(resolve))
})

test('a process is known by number and start time, and a dead one is not alive', async () => {
  const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' })
  const startTime = startTimeOf(child.pid)
  assert.ok(isAlive({ pid: child.pid, startTime }))
  if (process.platform === 'linux') assert.ok(!isAlive({ pid: child.pid, startTime: startTime - 1 }))
  child.kill('SIGKILL')
  await until(() => !isAlive({ pid: child.pid, startTime }))
})

test('unknown services are refused', async () => {
  await assert.rejects(startService('oracle'), /expected a service of etcd/)
  await assert.rejects(startService('toString'), TypeError)
})

test('redis: start, kill, restart with its data, stop without a trace', async (t) => {
  const redis = await startOr(t, 'redis', { appendonly: 'always' })
  if (redis === undefined) return
  const { client } = redis.ports
  assert.equal(redis.url, `redis://127.0.0.1:${client}`)
  const send = (line, reply) => tcpReply(client, Buffer.from(`${line}\r\n`), (got) => got.toString().startsWith(reply))
  assert.ok(await send('SET one 1', '+OK'))
  await redis.kill()
  assert.ok(!(await answers(client)))
  await redis.restart()
  assert.ok(await send('GET one', '$1\r\n1'))
  await redis.stop()
  assert.ok(!(await answers(client)))
  assert.ok(!existsSync(redis.dir))
})

test('etcd answers, and two of them do not disturb each other', async (t) => {
  const first = await startOr(t, 'etcd')
  if (first === undefined) return
  const second = await startService('etcd')
  assert.notEqual(first.url, second.url)
  await first.stop()
  assert.ok(await httpOk(`${second.url}/health`, (text) => text.includes('true')))
  await second.stop()
})

test('a server dies with a parent that was killed', { skip: process.platform !== 'linux' }, async (t) => {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'timetick-parent-'))
  try {
    const script = path.join(dir, 'parent.mjs')
    const report = path.join(dir, 'report.json')
    writeFileSync(script, `
      import { renameSync, writeFileSync } from 'node:fs'
      const { startService } = await import(${JSON.stringify(path.join(repoRoot, 'tools/services/index.mjs'))})
      let text
      try {
        const redis = await startService('redis', { dir: ${JSON.stringify(path.join(dir, 'data'))} })
        text = JSON.stringify({ pid: redis.pid })
      } catch (error) { text = JSON.stringify({ error: error.message }) }
      writeFileSync(${JSON.stringify(report)} + '.new', text)
      renameSync(${JSON.stringify(report)} + '.new', ${JSON.stringify(report)})
      setInterval(() => {}, 1000)`)
    const parent = spawn(process.execPath, [script], { stdio: 'ignore' })
    await until(() => existsSync(report), 60_000)
    const { pid, error } = JSON.parse(readFileSync(report, 'utf8'))
    if (error === undefined) assert.ok(isAlive({ pid }))
    parent.kill('SIGKILL')
    if (error !== undefined) {
      if (process.env.REQUIRE_SERVICES === '1') assert.fail(error)
      return t.skip(error)
    }
    await until(() => !isAlive({ pid }))
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
})
