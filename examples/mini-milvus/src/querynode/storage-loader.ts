/** Segments from object storage: a whole file is read into shared memory once, its columns are views into it. */
import type { SegmentMeta } from '../model/meta.ts'
import type { CollectionSchema } from '../model/schema.ts'
import { isPrimaryKeyColumn, type PrimaryKeys } from '../model/primary-keys.ts'
import { gatherColumn } from '../codec/gather.ts'
import { inTurns, readCheckedFile, readDeltaFile, readSegmentFile, StepMeter, type Steps } from '../segment/index.ts'
import { yieldToLoop } from '../segment/edge.ts'
import type { ObjectStorage } from '../storage/index.ts'
import type { SealedRows } from './sealed-segment.ts'
import type { SegmentLoader } from './segment-loader.ts'
import type { DeleteRecord } from './segment-view.ts'

export function createSegmentLoader(storage: ObjectStorage): SegmentLoader {
  const read = async (segment: SegmentMeta, bytes: Uint8Array): Promise<Uint8Array> => {
    await storage.readInto(segment.path, bytes, 0, segment)
    return bytes
  }
  const readShared = (segment: SegmentMeta): Promise<Uint8Array> => read(segment, new Uint8Array(new SharedArrayBuffer(segment.bytes)))
  const rowsOf = async (segment: SegmentMeta, schema: CollectionSchema, bytes: Uint8Array): Promise<SealedRows> => {
    const rows = await readSegmentFile({ bytes, schema, crc32: segment.crc32, key: segment.path })
    return segment.rowsTs === undefined ? rows : { ...rows, timestamps: new BigUint64Array(rows.length).fill(segment.rowsTs) }
  }
  return {
    rows: async (segment, schema) => rowsOf(segment, schema, await readShared(segment)),
    ownRows: async (segment, schema) => rowsOf(segment, schema, await read(segment, new Uint8Array(segment.bytes))),
    async deletes(segment, schema) {
      const { primaryKeys, timestamps } = await readDeltaFile({ bytes: await readShared(segment), schema, crc32: segment.crc32, key: segment.path })
      if (!isPrimaryKeyColumn(primaryKeys)) throw new Error(`${segment.path} holds no primary keys`)
      return inTurns(recordSteps(segment, primaryKeys, timestamps), yieldToLoop)
    },
    openIndex: (index) => storage.openFile(index.path, index),
    async index({ path, bytes, crc32 }) {
      const content = new Uint8Array(new SharedArrayBuffer(bytes))
      await storage.readInto(path, content, 0, { bytes, crc32 })
      return readCheckedFile(content, crc32, path)
    },
  }
}

/** One record per timestamp: what was one delete. */
function* recordSteps(segment: SegmentMeta, keys: PrimaryKeys, timestamps: BigUint64Array): Steps<DeleteRecord[]> {
  const meter = new StepMeter()
  const rowsByTs = new Map<bigint, number[]>()
  for (let row = 0; row < keys.length; row++) {
    const ts = timestamps[row] as bigint
    const rows = rowsByTs.get(ts)
    if (rows === undefined) rowsByTs.set(ts, [row])
    else rows.push(row)
    if (meter.spend(1)) yield
  }
  const records: DeleteRecord[] = []
  for (const [ts, rows] of rowsByTs) {
    records.push({ partitionId: segment.partitionId, keys: gatherColumn(keys, rows), ts })
    if (meter.spend(rows.length)) yield
  }
  return records
}
