// @ts-check
/**
 * Three processes whose clocks disagree pass a letter around. By their wall clocks a letter often arrives before it was sent; by hybrid
 * timestamps never. In the middle one of them is killed, its clock is set back, and it goes on: still nothing is out of order.
 *
 *     node main.mjs
 */
import assert from 'node:assert/strict'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openLmdbKV } from '@timetick/kv/lmdb'
import { composeTimestamp, isTsoError, openHybridLogicalClock, systemClock } from '@timetick/tso'

/** @typedef {{ who: string, ts: bigint, wallMs: number }} Event what happened, and when, in both ways of telling */

/**
 * One of the three. A letter carries the timestamp of its sending; who gets it tells its clock, and answers later than that.
 * @param {string} who
 * @param {string} path
 * @param {number} skewMs
 */
async function member(who, path, skewMs) {
  const now = () => systemClock.now() + skewMs
  const kv = await openLmdbKV({ path })
  // Saved in the store: an upper bound of its timestamps, so that not even a crash and a wrong clock take it back.
  const clock = await openHybridLogicalClock({ kv, clock: { ...systemClock, now }, saveIntervalMs: 200, maxOffsetMs: 500 })
  process.on('message', (/** @type {{ letter: bigint }} */ { letter }) => {
    try {
      process.send?.({ who, ts: clock.observe(letter), wallMs: now() })
    } catch (error) {
      if (!isTsoError(error, 'TSO_CLOCK_OFFSET')) throw error
      process.send?.({ who, refused: error.message })
    }
  })
  process.send?.('ready')
}

/**
 * @param {string} who
 * @param {string} folder
 * @param {number} skewMs
 */
async function start(who, folder, skewMs) {
  const child = fork(fileURLToPath(import.meta.url), ['--member', who, join(folder, who), String(skewMs)], { serialization: 'advanced' }) // it knows bigint
  await once(child, 'message')
  return child
}

/**
 * @param {import('node:child_process').ChildProcess} child
 * @param {bigint} letter
 * @returns {Promise<Event & { refused?: string }>}
 */
async function deliver(child, letter) {
  const answer = once(child, 'message')
  child.send({ letter })
  return (await answer)[0]
}

/** @param {bigint[] | number[]} values */
const stepsBack = (values) => values.filter((value, index) => index > 0 && value <= (values[index - 1] ?? value)).length

async function main() {
  const folder = await mkdtemp(join(tmpdir(), 'causal-'))
  const ring = await Promise.all([start('alice', folder, 0), start('bob', folder, -120), start('carol', folder, 150)])
  try {
    /** @type {Event[]} */
    const events = []
    let letter = 0n
    const pass = async (/** @type {number} */ rounds) => {
      for (let step = 0; step < rounds * ring.length; step++) {
        const child = ring[step % ring.length]
        assert(child !== undefined)
        const event = await deliver(child, letter)
        events.push(event)
        letter = event.ts
      }
    }
    await pass(20)
    console.log('60 letters; bob is killed, and his clock is set back by 200 ms more')
    ring[1].kill('SIGKILL')
    await once(ring[1], 'exit')
    ring[1] = await start('bob', folder, -320)
    await pass(20)

    const [byWall, byTs] = [stepsBack(events.map(({ wallMs }) => wallMs)), stepsBack(events.map(({ ts }) => ts))]
    console.log(`${events.length} letters: by wall clocks ${byWall} arrived before they were sent, by hybrid timestamps ${byTs}`)
    assert(byWall > 0 && byTs === 0)

    const stray = composeTimestamp(systemClock.now() + 3_600_000)
    const { refused } = await deliver(ring[0], stray)
    assert(refused !== undefined, 'a letter from an hour ahead was taken')
    await pass(1)
    assert(letter < stray, 'one wrong clock has spoilt the others')
    console.log(`a letter from an hour ahead is refused: ${refused.replace(/\d+ ms ahead/, 'far ahead')}`)
    console.log('ok: causes before effects, whatever the clocks say')
  } finally {
    for (const child of ring) child.kill('SIGKILL')
    await rm(folder, { recursive: true, force: true })
  }
}

const [mode, who, path, skewMs] = process.argv.slice(2)
if (mode === '--member' && who !== undefined && path !== undefined) await member(who, path, Number(skewMs))
else await main()
