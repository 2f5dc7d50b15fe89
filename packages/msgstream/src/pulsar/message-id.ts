/** Pulsar's MessageIdData: a protobuf message of which the ledger (1) and the entry (2) are used. */
import type { PulsarEntry } from './transport.ts'

export function encodeMessageId({ ledger, entry }: PulsarEntry): string {
  const bytes: number[] = []
  const varint = (value: bigint): void => {
    let rest = BigInt.asUintN(64, value)
    for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128)
    bytes.push(Number(rest))
  }
  bytes.push(0x08)
  varint(BigInt(ledger))
  bytes.push(0x10)
  varint(BigInt(entry))
  return Buffer.from(bytes).toString('base64')
}

export function decodeMessageId(text: string): PulsarEntry {
  const bytes = Buffer.from(text, 'base64')
  let at = 0
  const varint = (): number => {
    let value = 0
    let scale = 1
    for (;;) {
      const byte = bytes[at++]
      if (byte === undefined) throw new TypeError('expected a message id, got one that is cut off')
      value += (byte & 127) * scale
      if (byte < 128) return value
      scale *= 128
    }
  }
  let ledger = -1
  let entry = -1
  while (at < bytes.length) {
    const tag = varint()
    if ((tag & 7) !== 0) break
    const value = varint()
    if (tag >> 3 === 1) ledger = value
    else if (tag >> 3 === 2) entry = value
  }
  if (ledger < 0 || entry < 0) throw new TypeError('expected a message id with a ledger and an entry')
  return { ledger, entry }
}
