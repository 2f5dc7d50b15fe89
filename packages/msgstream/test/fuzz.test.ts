/** Frames, positions and manifests of anybody: a result or an error of ours. */
import { bytesNear, fuzz, textNear } from '@timetick/tools/fuzz'
import { describe, it } from 'vitest'
import { createTsMsg, decodeEnvelope, encodeEnvelope, isMsgStreamError, positionFromBytes, positionFromJson, positionToBytes, positionToJson, UnmarshalDispatcher, type MsgPositionJson } from '../src/index.ts'
import { OffsetId } from '../src/offset-id.ts'
import { inRing } from './ring.ts'

const runs = inRing(1000, 20_000, 500_000)
const msg = createTsMsg({ type: 400, beginTs: 7n, endTs: 2n ** 63n, hashKeys: [1, 4_294_967_295], properties: { a: 'ä', __proto__x: '' }, body: new Uint8Array([1, 2, 3]) })
const frames = [encodeEnvelope(msg), encodeEnvelope(msg, { checksum: false }), encodeEnvelope(createTsMsg({ type: 1, ts: 1n }))]
const position = { channel: 'dml_0', msgId: new OffsetId('kafka', 12), timestamp: 99n }

const isOurs = (error: unknown): boolean => isMsgStreamError(error) || error instanceof TypeError || error instanceof RangeError

describe('reads what nobody meant', { timeout: 300_000 }, () => {
  it('frames', () => fuzz(bytesNear(frames), (frame) => decodeEnvelope(frame).properties, isMsgStreamError, runs))

  it('frames, and what they hold', () => {
    const dispatcher = new UnmarshalDispatcher({ unknownType: 'raw', decodeError: 'skip' })
    return fuzz(bytesNear(frames), (frame) => dispatcher.unmarshal(frame, { channel: 'a', id: position.msgId }), () => false, runs)
  })

  it('positions as bytes', () => fuzz(bytesNear([positionToBytes(position)]), positionFromBytes, isOurs, runs))

  it('positions as JSON', () => {
    const text = JSON.stringify(positionToJson(position))
    return fuzz(textNear([text]), (json) => positionFromJson(JSON.parse(json) as MsgPositionJson), (error) => isOurs(error) || error instanceof SyntaxError, runs)
  })
})
