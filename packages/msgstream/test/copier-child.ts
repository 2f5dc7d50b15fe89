/** A consumer whose state and positions are one file, replaced as a whole: killed at any moment, it applies every message exactly once. */
import { renameSync, writeFileSync, existsSync, readFileSync } from 'node:fs'
import { openTtMsgStream, positionFromJson, positionToJson, type MsgPositionJson, type PositionStore } from '../src/index.ts'
import { openFileMq } from '../src/file.ts'

interface State {
  readonly applied: Record<string, number>
  /** Messages that were not the next one of their channel. */
  readonly wrong: string[]
  starts: number
  positions: readonly MsgPositionJson[]
}

const [path = '', file = ''] = process.argv.slice(2)
const state: State = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as State) : { applied: { a: 0, b: 0 }, wrong: [], starts: 0, positions: [] }
state.starts++

const store: PositionStore = {
  load: async () => state.positions.map(positionFromJson),
  async save(_, positions) {
    state.positions = positions.map(positionToJson)
    writeFileSync(`${file}.tmp`, JSON.stringify(state))
    renameSync(`${file}.tmp`, file)
  },
}

// Waiting for others keeps no process alive.
const alive = setInterval(() => {}, 1000)
const mq = await openFileMq({ path, readOnly: true, pollMs: 2 })
const stream = await openTtMsgStream({ mq, maxBufferedMessages: 2000 })
await stream.asConsumer(['a', 'b'], { from: 'earliest', subscription: 'copier', store })
process.stdout.write('open\n')
let packs = 0
for await (const { msgs } of stream) {
  for (const { id, position } of msgs) {
    const channel = position?.channel ?? ''
    if (Number(id) !== state.applied[channel]) state.wrong.push(`${channel}: ${id} instead of ${state.applied[channel]}`)
    state.applied[channel] = Number(id) + 1
  }
  if (++packs % 3 === 0) await stream.commit()
}
await stream.commit()
process.stdout.write('end\n')
await stream.close()
await mq.close()
clearInterval(alive)
