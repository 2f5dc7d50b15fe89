// @ts-check
/**
 * A service with the three probes of Kubernetes, and metrics for Prometheus. Its cache is slow to start, then hangs and is restarted; its
 * database goes away and comes back. What each probe says decides what Kubernetes does: `startupz` holds the others back, `readyz` takes the
 * pod out of the traffic, and only `livez` kills it. A database that is away must not do that.
 *
 *     node main.mjs            # plays the story and ends
 *     node main.mjs --serve    # serves on port 8080 until it is told to end
 *
 * The pod's side of it:
 *
 *     startupProbe:   { httpGet: { path: /startupz, port: 8080 }, periodSeconds: 2, failureThreshold: 30 }
 *     readinessProbe: { httpGet: { path: /readyz, port: 8080 }, periodSeconds: 5 }
 *     livenessProbe:  { httpGet: { path: /livez, port: 8080 }, periodSeconds: 10, failureThreshold: 3 }
 */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { createHeartbeat, startWatchdog } from '@timetick/watchdog'
import { createHealthHandler } from '@timetick/watchdog/http'

const BEAT_MS = 20
const watchdog = startWatchdog({
  checkIntervalMs: 20,
  timeoutMs: 300,
  restart: { maxRestarts: 2, backoffMs: 10 },
  onEvent: (event) => {
    if ('fault' in event) console.log(`${event.type} ${event.id} (${event.fault})`)
  },
})

/**
 * A part of the service that beats from its own loop, unless it hangs.
 * @param {string} id
 */
function createPart(id) {
  const part = {
    id,
    hangs: false,
    canRestart: true,
    /** @type {NodeJS.Timeout | undefined} */
    timer: undefined,
    status: () => /** @type {const} */ ('healthy'),
    clean: () => clearInterval(part.timer),
    /** @param {{ incarnation: number }} life */
    restart: ({ incarnation }) => {
      if (!part.canRestart) throw new Error(`${id} does not start`)
      part.hangs = false
      part.timer = setInterval(() => {
        if (!part.hangs) watchdog.putHeartbeat(createHeartbeat(id, 'healthy', { incarnation }))
      }, BEAT_MS)
    },
  }
  watchdog.register(part)
  return part
}

const api = createPart('api')
const cache = createPart('cache')
const database = { isReachable: true }

const handle = createHealthHandler({
  watchdog,
  // What the service depends on belongs to readiness, never to a component's own status.
  ready: { database: () => database.isReachable },
})
const server = createServer((request, response) => {
  if (!handle(request, response)) response.writeHead(404).end()
})
const isServing = process.argv.includes('--serve')
server.listen(isServing ? 8080 : 0, '127.0.0.1')
await once(server, 'listening')
const address = server.address()
assert(typeof address === 'object' && address !== null)
const { port } = address

/** All three answers, such as `200 503 200`, and why. */
async function probe() {
  const answers = await Promise.all(['startupz', 'readyz', 'livez'].map(async (path) => {
    const response = await fetch(`http://127.0.0.1:${port}/${path}`)
    return { status: response.status, text: (await response.text()).trim().replaceAll('\n', ', ') }
  }))
  return { statuses: answers.map(({ status }) => status).join(' '), why: answers.find(({ status }) => status !== 200)?.text ?? 'ok' }
}

/**
 * Waits until the probes answer so, and says it.
 * @param {string} what
 * @param {string} statuses of startupz, readyz and livez
 */
async function expectProbes(what, statuses) {
  let answer = await probe()
  for (const end = Date.now() + 10_000; answer.statuses !== statuses && Date.now() < end; answer = await probe()) await sleep(5)
  console.log(`${what}: ${answer.statuses} (${answer.why})`)
  assert.equal(answer.statuses, statuses, what)
}

async function close() {
  for (const part of [api, cache]) part.clean()
  await watchdog.close()
  server.close()
  server.closeAllConnections()
}

api.restart({ incarnation: 0 })
if (isServing) {
  cache.restart({ incarnation: 0 })
  console.log('http://127.0.0.1:8080/readyz')
  process.once('SIGTERM', () => void close())
} else {
  await expectProbes('the cache still loads', '503 503 200')
  cache.restart({ incarnation: 0 })
  await expectProbes('all parts are up', '200 200 200')
  database.isReachable = false
  await expectProbes('the database is away: no traffic, no restart', '200 503 200')
  database.isReachable = true
  await expectProbes('it is back', '200 200 200')
  cache.hangs = true
  for (const end = Date.now() + 10_000; watchdog.states.components.get('cache')?.restarts !== 1 && Date.now() < end; ) await sleep(5)
  await expectProbes('the cache hung and was restarted inside the process', '200 200 200')
  cache.canRestart = false
  cache.hangs = true
  await expectProbes('it hangs and does not start again: let Kubernetes restart the pod', '200 503 503')
  const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text()
  console.log(metrics.split('\n').filter((line) => line.includes('"cache"')).join('\n'))
  assert.match(metrics, /restarts.*cache/)
  await close()
  console.log('ok')
}
