// @ts-check
/**
 * An event log on three channels. A reader adds up accounts, saves its sums together with its positions, crashes, and resumes exactly where
 * it was: no event is lost, none counts twice.
 *
 *     node main.mjs
 *     node main.mjs --backend=memory
 */
import assert from 'node:assert/strict'
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { createTsMsg, openTtMsgStream, positionFromJson, positionToJson, startTimeTickProducer } from '@timetick/msgstream'
import { openFileMq } from '@timetick/msgstream/file'
import { createMemoryMq } from '@timetick/msgstream/memory'
import { createHybridLogicalClock } from '@timetick/tso'

const { values } = parseArgs({ options: { backend: { type: 'string', default: 'file' } } })
assert(values.backend === 'file' || values.backend === 'memory', `expected --backend=file or memory, got ${values.backend}`)

const folder = await mkdtemp(join(tmpdir(), 'replay-'))
const openMq = async () => (values.backend === 'file' ? openFileMq({ path: join(folder, 'log') }) : createMemoryMq())

const channels = ['events-0', 'events-1', 'events-2']
const clock = createHybridLogicalClock()
/** @type {Record<string, number>} the sums as they must be in the end */
const expected = {}
const checkpoint = join(folder, 'checkpoint.json')
/** @typedef {import('@timetick/msgstream').Mq} Mq */

/**
 * One run of an importer: 20 events 'account amount', each to its account's channel. Closing leaves a time tick behind them in the log, so
 * that readers know that the run is whole.
 * @param {Mq} mq
 * @param {number} run
 */
async function write(mq, run) {
  const writer = await startTimeTickProducer({ mq, channels, allocate: async () => clock.now() })
  for (let i = 0; i < 20; i++) {
    const account = (run * 7 + i) % 10
    const channel = channels[account % channels.length] ?? ''
    const msg = createTsMsg({ type: 400, id: BigInt(run * 100 + i), body: Buffer.from(`${account} ${run + i}`) })
    await writer.write(() => [{ channel, msgs: [msg] }], [channel])
    expected[account] = (expected[account] ?? 0) + run + i
  }
  await writer.close()
}

/**
 * Reads on from the checkpoint until `total` events are counted. Or crashes when it has seen `crashAfter`: its last pack is then not saved.
 * @param {Mq} mq
 * @param {{ total: number, crashAfter?: number }} options
 */
async function read(mq, { total, crashAfter = Infinity }) {
  const text = await readFile(checkpoint, 'utf8').catch(() => '{ "count": 0, "sums": {}, "positions": [] }')
  const state = JSON.parse(text)
  const { sums } = state
  const reader = await openTtMsgStream({ mq })
  await reader.asConsumer(channels, { from: 'earliest', positions: state.positions.map(positionFromJson) })
  const seen = []
  let saved = 0
  for await (const pack of reader) {
    for (const { id, body } of pack.msgs) {
      const [account = '', amount] = Buffer.from(body).toString().split(' ')
      sums[account] = (sums[account] ?? 0) + Number(amount)
      seen.push(id)
    }
    if (seen.length >= crashAfter) break
    // Sums and positions in one file that is replaced as a whole: both are of the same moment.
    state.count += pack.msgs.length
    state.positions = pack.endPositions.map(positionToJson)
    await writeFile(`${checkpoint}.new`, JSON.stringify(state))
    await rename(`${checkpoint}.new`, checkpoint)
    saved = seen.length
    if (state.count >= total) break
  }
  await reader.close()
  console.log(`  ${seen.length} events read, ${saved} of them saved`)
  return { saved: seen.slice(0, saved), lost: seen.slice(saved), sums }
}

let mq = await openMq()
try {
  await Promise.all(channels.map((channel) => mq.createChannel(channel)))
  for (let run = 0; run < 6; run++) await write(mq, run)
  console.log(`backend ${mq.features.backend}; the first reader crashes:`)
  const first = await read(mq, { total: 200, crashAfter: 70 })

  if (mq.features.durability !== 'memory') {
    await mq.close() // a log on disk survives this, and a power cut
    mq = await openMq()
  }
  const resuming = read(mq, { total: 200 })
  for (let run = 6; run < 10; run++) await write(mq, run)
  console.log('the second reader resumes, while more events come:')
  const second = await resuming

  assert(first.saved.length > 0 && first.lost.length > 0 && first.lost.every((id) => second.saved.includes(id)), 'what was read but not saved must come again')
  assert.equal(new Set([...first.saved, ...second.saved]).size, 200, 'an event was lost')
  assert.equal(first.saved.length + second.saved.length, 200, 'an event counted twice')
  assert.deepEqual(second.sums, expected)
  console.log(`ok: 200 events, each counted once; ${first.lost.length} were read a second time`)
} finally {
  await mq.close()
  await rm(folder, { recursive: true, force: true })
}
