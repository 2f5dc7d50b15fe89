/**
 * Bytes that nobody meant, at the doors of the node: they are understood or refused by an error of ours, soon, and leave no trace.
 * The seed is printed with a failure; `TIMETICK_RING=ci` and `soak` run longer.
 */
import { describe, expect, it } from 'vitest'
import { decodeInsert } from '../../src/codec/index.ts'
import { compileFilter } from '../../src/filter/index.ts'
import { DataType, type CollectionSchema, type FieldSchema } from '../../src/model/schema.ts'
import { parseJsonBody } from '../../src/rest/json.ts'
import { readSegmentFile, writeSegmentFile } from '../../src/segment/index.ts'
import { decodeType, encodeType, methods } from '../../src/wire/index.ts'
import { rows } from '../node/harness.ts'
import { seededRandom } from '../e2e/support.ts'

const ring = process.env['TIMETICK_RING']
const RUNS = ring === 'soak' ? 200_000 : ring === 'ci' ? 20_000 : 1_500
/** Far above what the largest input may take on a busy machine: a hang is what is looked for. */
const HANG_MS = 5_000

const plain = { description: '', autoId: false, isPartitionKey: false, isClusteringKey: false, isDynamic: false, nullable: false, indexParams: {}, typeParams: {} }
const fields: FieldSchema[] = [
  { ...plain, id: 100, name: 'id', type: DataType.Int64, isPrimary: true },
  { ...plain, id: 101, name: 'version', type: DataType.Int64, isPrimary: false },
  { ...plain, id: 102, name: 'vec', type: DataType.FloatVector, isPrimary: false, dim: 2 },
]
const schema: CollectionSchema = { name: 'points', description: '', fields, enableDynamicField: false }

class Bytes {
  readonly #random: () => number

  constructor(seed: number) {
    this.#random = seededRandom(seed)
  }

  below(limit: number): number {
    return Math.floor(this.#random() * limit)
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T
  }

  /** A valid input with a few bytes changed, cut, repeated or put in between; now and then noise alone. */
  mutate(valid: Uint8Array): Uint8Array {
    if (this.below(10) === 0) return Uint8Array.from({ length: this.below(200) }, () => this.below(256))
    let bytes = Array.from(valid)
    for (let changes = 1 + this.below(4); changes > 0; changes--) {
      const at = this.below(bytes.length + 1)
      const kind = this.below(4)
      if (kind === 0) bytes[at] = this.pick([0, 1, 0x7f, 0x80, 0xff, this.below(256)])
      else if (kind === 1) bytes = bytes.slice(0, at)
      else if (kind === 2) bytes.splice(at, 0, ...bytes.slice(at, at + this.below(20)))
      else bytes.splice(at, this.below(8))
    }
    return Uint8Array.from(bytes, (byte) => byte ?? 0)
  }

  text(words: readonly string[]): string {
    return Array.from({ length: 1 + this.below(14) }, () => this.pick(words)).join(this.pick(['', ' ']))
  }
}

/** @param isOurs whether an error is a refusal that was meant */
async function fuzz(target: (bytes: Bytes) => unknown, isOurs: (error: Error) => boolean): Promise<void> {
  const before = Object.getOwnPropertyNames(Object.prototype).length
  for (let seed = 1; seed <= RUNS; seed++) {
    const since = performance.now()
    try {
      await target(new Bytes(seed))
    } catch (error) {
      if (!(error instanceof Error) || !isOurs(error)) throw new Error(`seed ${seed}: not a refusal`, { cause: error })
    }
    if (performance.now() - since > HANG_MS) throw new Error(`seed ${seed}: took ${performance.now() - since} ms`)
    if (seed % 200 === 0) await new Promise((resolve) => void setImmediate(resolve))
  }
  expect(Object.getOwnPropertyNames(Object.prototype)).toHaveLength(before)
}

const named = (...names: string[]): ((error: Error) => boolean) => (error) => names.includes(error.name)

describe('refuses or understands', { timeout: 600_000 }, () => {
  it('filters', async () => {
    const words = ['id', 'version', 'vec', '$meta', 'a["b"]', '==', '!=', '<', '>=', 'in', 'not', 'and', '||', '&&', 'or', 'like', '"%a_"', '[', ']', '(', ')', '1', '-9223372036854775808', '1e309', '0x1F', '"text"', '\'', '"', '\\', 'null', 'is', 'exists', 'json_contains', 'array_length', '{x}', ',', '+', '**', '%', '\ud800', '\u0000', 'true']
    await fuzz((bytes) => compileFilter(bytes.text(words), schema), named('FilterError'))
  })

  it('REST bodies', async () => {
    const valid = new TextEncoder().encode('{"dbName":"default","collectionName":"points","data":[{"id":9007199254740993,"vec":[1.5,-2e-7],"__proto__":{"a":1}}],"x":[null,true,"\\u00e9\\ud83d\\ude00"]}')
    await fuzz((bytes) => parseJsonBody(bytes.mutate(valid)), named('MilvusError', 'RestError'))
  })

  it('gRPC requests of every method', async () => {
    await fuzz(
      (bytes) => {
        const { request } = bytes.pick(methods)
        return decodeType(request, bytes.mutate(encodeType(request, { collection_name: 'points', db_name: 'default', collectionName: 'points', expr: 'id in [1]' })))
      },
      named('RangeError', 'Error', 'ProtocolError', 'TypeError'),
    )
  })

  it('inserts, which have a reader of their own', async () => {
    const insert = methods.find(({ name }) => name === 'Insert')
    if (insert === undefined) throw new Error('there is no Insert')
    const valid = encodeType(insert.request, { collection_name: 'points', num_rows: 2, fields_data: [{ type: 5, field_name: 'id', scalars: { long_data: { data: [1n, 2n] } } }, { type: 101, field_name: 'vec', vectors: { dim: 2n, float_vector: { data: [1, 2, 3, 4] } } }] })
    await fuzz((bytes) => decodeInsert(bytes.mutate(valid)), named('CodecError', 'RangeError', 'Error'))
  })

  it('segment files, whose checksum is the first to say no', async () => {
    const { rows: batch } = rows([1, 2, 3], 7)
    const file = await writeSegmentFile({ schema, collectionId: 1n, partitionId: 2n, segmentId: 3n, startTs: 0n, endTs: 9n, batch, timestamps: BigUint64Array.of(4n, 5n, 6n) })
    const valid = Buffer.concat(file.chunks)
    await fuzz(async (bytes) => {
      const changed = bytes.mutate(valid)
      if (Buffer.compare(valid, changed) !== 0) return readSegmentFile({ bytes: changed, schema, crc32: file.crc32, key: 'k' }).then(() => { throw new Error('a changed file was taken') })
      return undefined
    }, named('SegmentError'))
  })
})
