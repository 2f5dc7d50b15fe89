/** Writes numbered frames to two channels and prints what was acknowledged, until it is killed. */
import { writeSync } from 'node:fs'
import { openFileMq } from '../src/file.ts'

const [path = '', channels = ''] = process.argv.slice(2)
const mq = await openFileMq({ path, segmentBytes: 64 << 10 })
process.stdout.write(`open ${JSON.stringify(mq.droppedTails.map(({ bytes }) => bytes))}\n`)
await Promise.all(
  channels.split(',').map(async (channel) => {
    const producer = await mq.openProducer(channel)
    const { last } = await mq.bounds(channel)
    let next = last === undefined ? 0 : Number(Buffer.from(last.bytes).readBigUInt64BE()) + 1
    const pending: Promise<unknown>[] = []
    for (;;) {
      const count = 1 + (next % 7)
      const frames = Array.from({ length: count }, (_, i) => Buffer.from(`${channel}${next + i}:${'y'.repeat(((next + i) * 131) % 900)}`))
      next += count
      const end = next
      pending.push(producer.send(frames).then(() => writeSync(1, `${channel} ${end}\n`)))
      if (pending.length >= 4) await pending.shift()
    }
  }),
)
