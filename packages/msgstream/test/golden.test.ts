import { describe, expect, it } from 'vitest'
import { Aligner } from '../src/aligner.ts'
import { createTimeTick, createTsMsg, openTtMsgStream, MsgType, type MsgPack, type MsgPosition } from '../src/index.ts'
import { createMemoryMq } from '../src/memory.ts'
import { encodeEnvelope } from '../src/envelope.ts'
import { OffsetId } from '../src/offset-id.ts'

/** `t5` is a tick, `d3` data. */
function frameOf(word: string): Uint8Array {
  const ts = BigInt(word.slice(1))
  return encodeEnvelope(word.startsWith('t') ? createTimeTick(ts) : createTsMsg({ type: MsgType.insert, ts }))
}

const show = (pack: MsgPack): string => `(${pack.beginTs},${pack.endTs}]{${pack.msgs.map((msg) => `${msg.endTs}${msg.late === true ? '!' : ''}`).join(',')}}`
const place = ({ msgId, timestamp }: MsgPosition): string => `${msgId instanceof OffsetId ? `m${msgId.offset}` : '-'}/${timestamp}`

const log = 't0 d1 d3 d19 t5 d14 d9 t11 d12 d13 t15 t20'.split(' ')
const golden = [
  ['(0,5]{1,3}', '-/0', 'm3/5'],
  ['(5,11]{9}', 'm3/5', 'm3/11'],
  ['(11,15]{14,12,13}', 'm3/11', 'm3/15'],
  ['(15,20]{19}', 'm3/15', 'm11/20'],
]

async function filled() {
  const mq = createMemoryMq()
  const producer = await mq.openProducer('a')
  for (const word of log) await producer.send([frameOf(word)])
  return mq
}

describe('golden vectors of the aligned stream', () => {
  it.each(['frontier', 'equal'] as const)('one channel, align %s', async (align) => {
    const stream = await openTtMsgStream({ mq: await filled(), align })
    await stream.asConsumer(['a'], { from: 'earliest' })
    for (const [text, start, end] of golden) {
      const pack = (await stream.consume()) as MsgPack
      expect([show(pack), pack.startPositions.map(place).join(), pack.endPositions.map(place).join()]).toEqual([text, start, end])
      expect(stream.frontier).toBe(pack.endTs)
    }
    await stream.close()
  })

  it.each([0, 1, 2, 3])('reading on from each position gives what follows (pack %i)', async (k) => {
    const mq = await filled()
    const all = async (positions?: readonly MsgPosition[]): Promise<MsgPack[]> => {
      const stream = await openTtMsgStream({ mq })
      await stream.asConsumer(['a'], { from: 'earliest', positions })
      const packs: MsgPack[] = []
      while (stream.frontier < 20n) packs.push((await stream.consume()) as MsgPack)
      await stream.close()
      return packs
    }
    const packs = await all()
    const pack = packs[k] as MsgPack
    expect((await all(pack.endPositions)).map(show)).toEqual(packs.slice(k + 1).map(show))
    expect((await all(pack.startPositions)).map(show)).toEqual(packs.slice(k).map(show))
  })

  function run(words: readonly (readonly [number, string])[], align: 'frontier' | 'equal' = 'frontier', channels = 2): string[] {
    const positions = Array.from({ length: channels }, (_, i) => ({ channel: `c${i}`, msgId: undefined, timestamp: 0n }))
    const aligner = new Aligner({ positions, align, late: 'deliver', skipEmpty: false, maxMessages: 100, maxBytes: 1 << 20 })
    const out: string[] = []
    for (const [i, [channel, word]] of words.entries()) {
      const ts = BigInt(word.slice(1))
      const id = new OffsetId('memory', i)
      if (word.startsWith('t')) aligner.pushTick(channel, id, ts)
      else aligner.pushData(channel, id, 10, createTsMsg({ type: 400, ts }))
      for (let pack = aligner.take(); pack !== undefined; pack = aligner.take()) out.push(show(pack))
    }
    return out
  }
  const on = (channel: number, text: string): (readonly [number, string])[] => text.split(' ').map((word) => [channel, word] as const)

  it.each(['frontier', 'equal'] as const)('two channels, align %s', (align) => {
    expect(run([...on(0, 'd3 t10 d12 t20 d25 t30'), ...on(1, 't10 d28 t30')], align)).toEqual(['(0,10]{3}', '(10,30]{12,25,28}'])
  })

  it('late data comes with the next pack, marked', () => {
    expect(run(on(0, 't10 d7 t20'), 'frontier', 1)).toEqual(['(0,10]{}', '(10,20]{7!}'])
  })

  it('repeated, falling and zero ticks emit nothing', () => {
    expect(run(on(0, 't0 t10 t10 d11 t8 t12'), 'frontier', 1)).toEqual(['(0,10]{}', '(10,12]{11}'])
  })

  it('ticks that never are equal move the frontier but not `equal`', () => {
    const words = [...on(0, 't10 t20 t30'), ...on(1, 't15 t25 t35')]
    expect(run(words, 'equal')).toEqual([])
    expect(run(words)).toEqual(['(0,15]{}', '(15,25]{}', '(25,30]{}'])
  })
})
