export { isSegmentError, SEGMENT_ERROR_CODES, SegmentError, type SegmentErrorCode } from './errors.ts'
export { type DeltaData, readDeltaFile, readSegmentFile, type ReadSegmentOptions, type SegmentData } from './read.ts'
export { primaryKeyOrder, sortByPrimaryKey, type SortedRows, sortSegment } from './sort.ts'
export {
  type EncodedFile,
  type SegmentIdentity,
  writeDeltaFile,
  type WriteDeltaOptions,
  writeSegmentFile,
  type WriteSegmentOptions,
} from './write.ts'
