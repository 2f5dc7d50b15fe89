/** Writes numbered messages with time ticks to two channels until each has so many; goes on where the log ends. Killed at any moment. */
import { createTsMsg, MsgType, openMsgStream, startTimeTickProducer } from '../src/index.ts'
import { openFileMq } from '../src/file.ts'

const [path = '', total = '0'] = process.argv.slice(2)
const channels = ['a', 'b']
const mq = await openFileMq({ path, segmentBytes: 256 << 10 })
let last = 0n
const writer = await startTimeTickProducer({
  mq,
  channels,
  intervalMs: 5,
  allocate: async () => {
    const now = BigInt(Date.now()) << 18n
    return (last = now > last ? now : last + 1n)
  },
})

/** The number behind the last message that is in the log, whatever was acknowledged. */
async function nextOf(channel: string): Promise<number> {
  const stream = await openMsgStream({ mq })
  await stream.asConsumer([channel], { from: 'earliest', until: 'latest' })
  let next = 0
  for await (const { msgs } of stream) for (const { type, id } of msgs) if (type === MsgType.insert) next = Number(id) + 1
  await stream.close()
  return next
}

const next = await Promise.all(channels.map(nextOf))
process.stdout.write('open\n')
while (next.some((it) => it < Number(total))) {
  const writes = channels.flatMap((channel, i) => {
    if ((next[i] as number) >= Number(total)) return []
    const first = next[i] as number
    const count = Math.min(1 + (first % 40), Number(total) - first)
    next[i] = first + count
    return [writer.write(() => [{ channel, msgs: Array.from({ length: count }, (_, k) => createTsMsg({ type: MsgType.insert, id: BigInt(first + k), body: new Uint8Array(100) })) }], [channel])]
  })
  await Promise.all(writes)
}
await writer.close({ endOfStream: true })
await mq.close()
