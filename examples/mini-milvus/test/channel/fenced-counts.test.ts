/** An owner that was overtaken: what it still does is refused or passed over, and counted. */
import { createTsMsg, encodeEnvelope } from '@timetick/msgstream'
import { createMemoryMq } from '@timetick/msgstream/memory'
import { describe, expect, it } from 'vitest'
import { FencedLog, writeFence } from '../../src/channel/fenced-mq.ts'

const frame = (id: bigint): Uint8Array => encodeEnvelope(createTsMsg({ type: 400, properties: { n: String(id) } }))

describe('a log whose channel has changed hands', () => {
  it('counts writes that were not sent, and frames that came behind another’s fence', async () => {
    const mq = createMemoryMq()
    await mq.createChannel('c')
    const log = new FencedLog({ mq, clock: { monotonic: () => 0 }, fences: async () => [], awaitMeta: async () => undefined, retentionMs: 0 })
    let isHeld = true
    const old = await log.writers(1n, () => isHeld).openProducer('c')
    const reader = await log.readers.openReader('c', { at: 'earliest' })
    await writeFence(mq, 'c', 1n)
    await old.send([frame(1n)])
    expect((await reader.read({ maxMessages: 10 }))?.frames.length).toBe(1)
    expect(log.counts).toEqual({ refusedWrites: 0, overtakenFrames: 0 })

    await writeFence(mq, 'c', 2n)
    // Its clock has not told it yet.
    await old.send([frame(2n), frame(3n)])
    const present = await log.writers(2n, () => true).openProducer('c')
    await present.send([frame(4n)])
    expect((await reader.read({ maxMessages: 10 }))?.frames.length).toBe(1)
    expect(log.counts).toEqual({ refusedWrites: 0, overtakenFrames: 2 })

    isHeld = false
    await expect(old.send([frame(5n)])).rejects.toMatchObject({ code: 'MSG_UNAVAILABLE', outcome: 'not-applied' })
    expect(log.counts).toEqual({ refusedWrites: 1, overtakenFrames: 2 })
    await reader.close()
    await mq.close()
  })
})
