/** Writes numbered frames to two channels and prints what was acknowledged, until it is killed. */
import { writeSync } from 'node:fs'
import { openFileMq } from '../src/file.ts'

/** At once, also when the pipe is full: what was acknowledged must be said before the kill. */
function say(line: string): void {
  for (;;) {
    try {
      writeSync(1, line)
      return
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'EAGAIN') throw error
    }
  }
}

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
      pending.push(producer.send(frames).then(() => say(`${channel} ${end}\n`)))
      if (pending.length >= 4) await pending.shift()
    }
  }),
)
