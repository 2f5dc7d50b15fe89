// @ts-check
/**
 * A pool of workers that beat while they work. One hangs over a job; the watchdog hears nothing, has it cleaned up (the job goes back
 * to the queue) and restarted, and all jobs get done.
 *
 *     node main.mjs
 */
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { createHeartbeat, startWatchdog } from '@timetick/watchdog'

/** @typedef {import('@timetick/watchdog').ActiveComponent} ActiveComponent */

const TOTAL = 60
const jobs = Array.from({ length: TOTAL }, (_, job) => job)
/** @type {Map<number, string>} job to who did it */
const done = new Map()
let isPoisoned = true

/** The work. Job 20 never comes back, the first time. */
async function work(/** @type {number} */ job) {
  if (job === 20 && isPoisoned) {
    isPoisoned = false
    await new Promise(() => {})
  }
  await sleep(10)
}

/** @implements {ActiveComponent} */
class Worker {
  /** @type {number | undefined} */
  #job
  #incarnation = 0

  /** @param {string} id */
  constructor(id) {
    this.id = id
  }

  status() {
    return /** @type {const} */ ('healthy')
  }

  /** What a dead worker holds is released; the life that may still run is over, whatever it does. */
  clean() {
    this.#incarnation = -1
    if (this.#job !== undefined) jobs.unshift(this.#job)
    this.#job = undefined
  }

  /** @param {{ incarnation: number }} options */
  restart({ incarnation }) {
    void this.run(incarnation)
  }

  async run(incarnation = 0) {
    this.#incarnation = incarnation
    for (let seq = 1; this.#incarnation === incarnation && done.size < TOTAL; seq++) {
      watchdog.putHeartbeat(createHeartbeat(this.id, 'healthy', { incarnation, seq }))
      this.#job = jobs.shift()
      const job = this.#job
      await (job === undefined ? sleep(10) : work(job))
      if (this.#incarnation !== incarnation) return // a later life has the job
      if (job !== undefined) done.set(job, `${this.id}, life ${incarnation}`)
      this.#job = undefined
    }
  }
}

/** @type {string[]} */
const events = []
const watchdog = startWatchdog({
  checkIntervalMs: 20,
  timeoutMs: 200,
  onEvent: (event) => {
    if (event.type === 'registered' || event.type === 'up') return
    const text = `${event.type} ${'id' in event ? event.id : ''}${'fault' in event ? ` (${event.fault})` : ''}`
    events.push(text)
    console.log(text)
  },
})

/** @type {string[]} */
const lines = []
const dumping = (async () => {
  for await (const line of watchdog.dumpHeartbeat()) lines.push(line)
})()

const workers = ['worker-0', 'worker-1', 'worker-2'].map((id) => new Worker(id))
for (const worker of workers) watchdog.register(worker)
for (const worker of workers) void worker.run()

for (const deadline = Date.now() + 10_000; done.size < TOTAL && Date.now() < deadline; ) await sleep(10)
await watchdog.close() // ends the dump too
await dumping

console.log(`${lines.length} beats, such as\n  ${lines[0]}\n  ${lines.at(-1)}`)
assert.equal(done.size, TOTAL, 'not every job was done')
const hung = events.find((event) => event.startsWith('fault'))?.split(' ')[1]
assert(hung !== undefined && events.includes(`fault ${hung} (silent)`) && events.includes(`restarted ${hung}`), `no restart among ${events.join('; ')}`)
assert(lines.some((line) => JSON.parse(line).id === hung && JSON.parse(line).incarnation === 1), 'the new life beats')
console.log(`ok: ${TOTAL} jobs done; job 20, over which ${hung} hung, by ${done.get(20)}`)
