import { crc32 } from 'node:zlib'
import { describe, expect, test } from 'vitest'
import { DataType } from '../../src/model/schema.ts'
import { readDeltaFile, readSegmentFile, writeDeltaFile, writeSegmentFile } from '../../src/segment/index.ts'
import { batchOf, everyType, field, join, rowsOf, schemaOf, strings } from './samples.ts'

const identity = { collectionId: 1n, partitionId: 2n, segmentId: 3n, startTs: 4n, endTs: 5n }

async function written(n: number): Promise<{ bytes: Uint8Array; crc32: number }> {
  const file = await writeSegmentFile({ ...identity, schema: everyType, ...batchOf(n) })
  return { bytes: join(file.chunks), crc32: file.crc32 }
}

describe('segment files', () => {
  test.each([0, 1, 2, 63, 64, 65, 100])('%i rows of every type come back as they were', async (n) => {
    const { batch, timestamps } = batchOf(n)
    const file = await written(n)
    const read = await readSegmentFile({ ...file, schema: everyType, key: 'a' })
    expect(read.length).toBe(n)
    expect(rowsOf(read, read.timestamps)).toEqual(rowsOf(batch, timestamps))
  })

  test('columns lie in the bytes of the file, vectors at multiples of eight', async () => {
    const file = await written(33)
    const read = await readSegmentFile({ ...file, schema: everyType, key: 'a' })
    expect(read.timestamps.buffer).toBe(file.bytes.buffer)
    for (const id of [112, 113, 114]) {
      const column = read.column(id)
      expect(column?.kind === 'vector' && column.data.buffer === file.bytes.buffer && column.data.byteOffset % 8).toBe(0)
    }
    const text = read.column(107)
    expect(text?.kind === 'string' && text.data.buffer === file.bytes.buffer && text.offsets.buffer === file.bytes.buffer).toBe(true)
  })

  test('columns with spare capacity are written up to their length', async () => {
    const schema = schemaOf([field(100, 'id', DataType.Int64, { isPrimary: true }), field(101, 'text', DataType.VarChar)])
    const text = strings(['a', 'bc', 'spare'])
    const columns = new Map([
      [100, { kind: 'int64', type: DataType.Int64, length: 2, valid: undefined, values: new BigInt64Array(10) }],
      [101, { kind: 'string', type: DataType.VarChar, length: 2, valid: undefined, ...text }],
    ] as const)
    const file = await writeSegmentFile({ ...identity, schema, batch: { length: 2, columns }, timestamps: new BigUint64Array(10) })
    const read = await readSegmentFile({ bytes: join(file.chunks), crc32: file.crc32, schema, key: 'a' })
    expect(rowsOf(read, read.timestamps)).toEqual([
      [0n, [100, 0n], [101, 'a']],
      [0n, [100, 0n], [101, 'bc']],
    ])
    expect(file.bytes).toBe(join(file.chunks).length)
  })

  test('a field that was added later has no column, one that was dropped is left out', async () => {
    const file = await written(3)
    const later = schemaOf([...everyType.fields.slice(0, 3), field(200, 'new', DataType.Int32, { nullable: true })])
    const read = await readSegmentFile({ ...file, schema: later, key: 'a' })
    expect([...read.columns.keys()]).toEqual([100, 101, 102])
    expect(read.column(200)).toBeUndefined()
  })

  test('deletes come back, by number and by text', async () => {
    const { batch, timestamps } = batchOf(5)
    const byText = schemaOf([field(100, 'id', DataType.VarChar, { isPrimary: true, maxLength: 10 })])
    const keys = { kind: 'string', type: DataType.VarChar, length: 2, valid: undefined, ...strings(['ä', 'b']) } as const
    for (const [schema, primaryKeys] of [
      [everyType, batch.columns.get(100)],
      [byText, keys],
    ] as const) {
      if (primaryKeys === undefined) throw new Error('no keys')
      const file = await writeDeltaFile({ ...identity, schema, primaryKeys, timestamps })
      const read = await readDeltaFile({ bytes: join(file.chunks), crc32: file.crc32, schema, key: 'd' })
      const found = { length: read.length, columns: new Map([[100, read.primaryKeys]]) }
      expect(rowsOf(found, read.timestamps)).toEqual(
        rowsOf({ length: primaryKeys.length, columns: new Map([[100, primaryKeys]]) }, timestamps),
      )
    }
  })
})

describe('bad segment files', () => {
  test('every flipped bit and every cut is a typed error that names the file', async () => {
    const { bytes, crc32: crc } = await written(4)
    for (let i = 0; i < bytes.length; i += 97) {
      const bad = bytes.slice()
      bad[i] = (bad[i] ?? 0) ^ 4
      await expect(readSegmentFile({ bytes: bad, crc32: crc, schema: everyType, key: 'seg/7' })).rejects.toMatchObject({
        code: 'SEGMENT_CORRUPT',
        message: expect.stringContaining('seg/7'),
      })
      await expect(readSegmentFile({ bytes: bytes.slice(0, i), crc32: crc, schema: everyType, key: 'seg/7' })).rejects.toMatchObject({
        code: 'SEGMENT_CORRUPT',
      })
    }
  })

  test('a newer format, another kind of file and another type are told apart', async () => {
    const { bytes, crc32: crc } = await written(2)
    const text = Buffer.from(bytes).toString('latin1').replaceAll('mini_milvus.format\0\0', 'mini_milvus.format\0\0')
    const newer = Buffer.from(text, 'latin1')
    for (let at = newer.indexOf('mini_milvus.format'); at >= 0; at = newer.indexOf('mini_milvus.format', at + 1)) {
      const value = newer.subarray(0, at).lastIndexOf('\x01\0\0\x001')
      if (value >= 0) newer[value + 4] = 0x39
    }
    await expect(readSegmentFile({ bytes: newer, crc32: crc32(newer), schema: everyType, key: 'a' })).rejects.toMatchObject({
      code: 'SEGMENT_NEWER',
    })
    await expect(readDeltaFile({ bytes, crc32: crc, schema: everyType, key: 'a' })).rejects.toMatchObject({ code: 'SEGMENT_FORMAT' })
    const other = schemaOf([field(100, 'id', DataType.VarChar, { isPrimary: true, maxLength: 5 })])
    await expect(readSegmentFile({ bytes, crc32: crc, schema: other, key: 'a' })).rejects.toMatchObject({ code: 'SEGMENT_SCHEMA' })
    const garbage = new Uint8Array(100)
    await expect(readSegmentFile({ bytes: garbage, crc32: crc32(garbage), schema: everyType, key: 'a' })).rejects.toMatchObject({
      code: 'SEGMENT_FORMAT',
    })
  })

  test('columns of unequal length are refused', async () => {
    const { batch, timestamps } = batchOf(3)
    await expect(
      writeSegmentFile({ ...identity, schema: everyType, batch: { length: 2, columns: batch.columns }, timestamps }),
    ).rejects.toBeInstanceOf(RangeError)
    await expect(writeSegmentFile({ ...identity, schema: everyType, batch, timestamps: new BigUint64Array(2) })).rejects.toBeInstanceOf(
      RangeError,
    )
  })
})
