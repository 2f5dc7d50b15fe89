// @ts-check
/**
 * Three nodes of a service; a report is to be sent every 50 ms, by one of them. They elect a leader in a store. The leader is cut off from the
 * store in the middle of its work: it stops by itself before another can lead, the next one goes on where it left off, and what it
 * still tries to write is refused by its token. No report is sent twice, none is left out.
 *
 *     node main.mjs
 *
 * The store is in memory here; in production it is the same with `openEtcdKV`, `openRedisKV` or `openLmdbKV`.
 */
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { createMemoryKV } from '@timetick/kv/memory'
import { startElection } from '@timetick/watchdog/session'

/** @typedef {import('@timetick/watchdog/session').LeaderTerm} LeaderTerm */
/** @typedef {import('@timetick/watchdog/session').SessionStore} SessionStore */

const EVERY_MS = 50
const TTL_MS = 400
const kv = createMemoryKV()

/**
 * Where reports go. It knows nothing of elections; it refuses a token below the highest that it saw, which is all that is needed.
 * @type {{ highest: bigint, sent: { report: number, by: string }[], refused: string[], send(token: bigint, report: number, by: string): boolean }}
 */
const mailbox = {
  highest: 0n,
  sent: [],
  refused: [],
  send(token, report, by) {
    if (token < mailbox.highest) {
      mailbox.refused.push(`report ${report} by ${by}`)
      return false
    }
    mailbox.highest = token
    mailbox.sent.push({ report, by })
    return true
  },
}

/** The schedule: as long as this node leads, the next report every 50 ms. */
const cron = (/** @type {string} */ name) => async (/** @type {LeaderTerm} */ term) => {
  while (!term.over.aborted) {
    // Ask before each act: a timer may come late, the term may be over by then.
    if (term.isLive) mailbox.send(term.token, mailbox.sent.length + 1, name)
    await sleep(EVERY_MS, undefined, { signal: term.over }).catch(() => undefined)
  }
}

const cut = new Set()
/**
 * The store as one node reaches it: without an answer while the node is cut off.
 * @param {string} name
 * @returns {SessionStore}
 */
const storeOf = (name) => new Proxy(kv, {
  get: (target, key) => {
    const value = Reflect.get(target, key)
    if (typeof value !== 'function') return value
    return (/** @type {unknown[]} */ ...args) => (cut.has(name) ? new Promise(() => {}) : Reflect.apply(value, target, args))
  },
})

/** @type {string[]} */
const story = []
const say = (/** @type {string} */ text) => {
  story.push(text)
  console.log(text)
}
const names = ['node-a', 'node-b', 'node-c']
const elections = new Map(names.map((name) => [name, startElection({
  kv: storeOf(name), key: 'cron/leader', name, ttlMs: TTL_MS, lead: cron(name),
  onEvent: (event) => {
    if (event.type === 'elected') say(`${name} leads, token ${event.token}`)
    if (event.type === 'over') say(`${name} no longer leads`)
  },
})]))

const deadline = Date.now() + 20_000
const until = async (/** @type {() => boolean} */ holds) => {
  while (!holds() && Date.now() < deadline) {
    assert(names.filter((name) => elections.get(name)?.term?.isLive).length <= 1, 'two lead at once')
    await sleep(5)
  }
}

await until(() => mailbox.sent.length >= 5 && elections.get(mailbox.sent.at(-1)?.by ?? '')?.term?.isLive === true)
const first = mailbox.sent.at(-1)?.by ?? ''
const stale = elections.get(first)?.term
assert(stale !== undefined)
say(`${first} is cut off from the store`)
cut.add(first)

await until(() => (mailbox.sent.at(-1)?.by ?? first) !== first)
const second = mailbox.sent.at(-1)?.by
say(`${second} sends report ${mailbox.sent.length}`)
assert.equal(stale.isLive, false)
// A write of the old leader that hung in a socket until now: the token keeps it out, whatever the old leader believes.
assert.equal(mailbox.send(stale.token, mailbox.sent.length + 1, first), false)

cut.delete(first)
await until(() => mailbox.sent.length >= 12)
for (const election of elections.values()) await election.close()
await kv.close()

const reports = mailbox.sent.map(({ report }) => report)
assert.deepEqual(reports, Array.from({ length: reports.length }, (_, index) => index + 1), 'each report once, in order')
assert(reports.length >= 12, story.join('; '))
assert.deepEqual(mailbox.refused.map((text) => text.split(' by ')[1]), [first])
console.log(`ok: ${first} and then ${second} sent each report once; refused: ${mailbox.refused.join(', ')}`)
