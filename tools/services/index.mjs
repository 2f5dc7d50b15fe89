/**
 * Servers for the tests and the bench. {@link startService} gets a server (from PATH, our cache, Debian, Maven or Go), starts it on
 * free ports of the loopback, and gives it back when it answers. A started server dies with this process.
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, openSync, closeSync, readFileSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { withLock } from './cache.mjs'
import { freePorts, releasePorts } from './ports.mjs'
import { startTimeOf } from './procfs.mjs'
import { which } from './run.mjs'
import etcd from './servers/etcd.mjs'
import kafka from './servers/kafka.mjs'
import nats from './servers/nats.mjs'
import pulsar from './servers/pulsar.mjs'
import redis from './servers/redis.mjs'
import s3 from './servers/s3.mjs'

const servers = { etcd, redis, kafka, pulsar, s3, nats }
export const SERVICE_NAMES = Object.keys(servers)

const serverOf = (name) => {
  const server = Object.hasOwn(servers, name) ? servers[name] : undefined
  if (server === undefined) throw new TypeError(`expected a service of ${SERVICE_NAMES.join(', ')}, got ${JSON.stringify(name)}`)
  return server
}

/** Gets a server into the cache without starting it (also its class archive, which halves the start of a JVM). */
export async function getService(name, options = {}) {
  const server = serverOf(name)
  const got = await server.get(options)
  if (got.archive !== undefined && !existsSync(got.archive)) await train(name, server, got, options)
  return got
}

/** One start that writes the archive of loaded classes. Without it the server works too, only slower. */
async function train(name, server, got, options) {
  await withLock(`${name}-train`, async () => {
    if (existsSync(got.archive)) return
    const instance = new Instance(server, got, { ...options, isBench: false, training: true })
    await instance.start().catch(() => undefined)
    await instance.stop()
  })
}

/**
 * Starts a server. `options`: `version`; `dir` (data, kept at stop; a temporary folder by default); `args`; `detached` (survives this
 * process); `isBench` (settings for speed, not for a quick start); and those of the server's own file.
 * @returns `{ name, url, ports, pid, env, dir, stop(), kill(), restart() }`: `stop` ends it and removes its temporary folder, `kill` is
 * `kill -9`, `restart` starts it again on the same ports and data.
 */
export async function startService(name, options = {}) {
  const server = serverOf(name)
  const got = await getService(name, options)
  for (let attempt = 1; ; attempt += 1) {
    const instance = new Instance(server, got, options)
    try {
      await instance.start()
      return instance
    } catch (error) {
      await instance.stop()
      if (attempt === 3 || error.code === 'ENOENT') throw error
    }
  }
}

const setpriv = process.platform === 'linux' ? which('setpriv') : undefined

class Instance {
  #server
  #got
  #options
  #child
  #exited
  #ownDir

  constructor(server, got, options) {
    this.name = server.name
    this.#server = server
    this.#got = got
    this.#options = options
    this.#ownDir = options.dir === undefined
    this.dir = options.dir ?? mkdtempSync(path.join(os.tmpdir(), `timetick-${server.name}-`))
    mkdirSync(this.dir, { recursive: true })
    this.log = path.join(this.dir, 'server.log')
  }

  async start() {
    if (this.ports === undefined) {
      const numbers = await freePorts(this.#server.portNames.length)
      this.ports = Object.fromEntries(this.#server.portNames.map((portName, i) => [portName, numbers[i]]))
    }
    const { training = false } = this.#options
    const plan = await this.#server.plan({ got: this.#got, ports: this.ports, dir: this.dir, options: this.#options, training })
    this.url = plan.url
    this.env = plan.env
    this.#spawn(plan)
    await this.#untilReady(plan)
    return this
  }

  #spawn({ command, args, cwd = this.dir, processEnv = {} }) {
    const { detached = false } = this.#options
    const mortal = !detached && setpriv !== undefined
    const log = openSync(this.log, 'a')
    const child = spawn(mortal ? setpriv : command, mortal ? ['--pdeathsig', 'TERM', command, ...args] : args, {
      cwd, detached, env: { ...process.env, ...processEnv }, stdio: ['ignore', log, log],
    })
    closeSync(log)
    this.#child = child
    this.pid = child.pid
    this.startTime = child.pid === undefined ? undefined : startTimeOf(child.pid)
    this.#exited = new Promise((resolve) => {
      child.once('error', (error) => resolve({ error }))
      child.once('exit', (code, signal) => resolve({ code, signal }))
    }).then((end) => {
      this.ended = end
    })
    this.ended = undefined
    child.unref()
  }

  async #untilReady({ ready, readyTimeoutMs = 20_000, readyEveryMs = 15 }) {
    const deadline = Date.now() + readyTimeoutMs
    for (;;) {
      if (this.ended !== undefined) {
        const { error, code, signal } = this.ended
        throw Object.assign(new Error(`${this.name} ended while starting (${error?.message ?? code ?? signal}): ${this.#logTail()}`), { code: error?.code })
      }
      if (await ready()) break
      if (Date.now() > deadline) throw new Error(`${this.name} did not answer within ${readyTimeoutMs} ms: ${this.#logTail()}`)
      await sleep(readyEveryMs)
    }
    this.startTime = startTimeOf(this.pid)
  }

  #logTail() {
    try {
      return readFileSync(this.log, 'utf8').trim().split('\n').slice(-5).join(' | ').slice(-1000)
    } catch {
      return 'no log'
    }
  }

  async #end(signal, graceMs) {
    const child = this.#child
    if (child === undefined || this.ended !== undefined) return
    child.ref()
    child.kill(signal)
    const timer = setTimeout(() => child.kill('SIGKILL'), graceMs)
    await this.#exited
    clearTimeout(timer)
  }

  /** Ends it in an orderly way and removes its temporary folder. */
  async stop() {
    await this.#end('SIGTERM', this.#options.training ? 60_000 : 10_000)
    if (this.ports !== undefined) releasePorts(Object.values(this.ports))
    if (this.#ownDir) rmSync(this.dir, { recursive: true, force: true, maxRetries: 3 })
  }

  /** `kill -9`; data stays for {@link restart}. */
  async kill() {
    await this.#end('SIGKILL', 10_000)
  }

  /** Starts it again on the same ports and data, after an orderly end if it still runs. */
  async restart() {
    await this.#end('SIGTERM', 10_000)
    return await this.start()
  }
}
