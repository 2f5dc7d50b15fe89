export { isSegmentError, SEGMENT_ERROR_CODES, SegmentError, type SegmentErrorCode } from './errors.ts'
export { type DeltaData, readCheckedFile, readDeltaFile, readSegmentFile, type ReadSegmentOptions, type SegmentData } from './read.ts'
export { gatherSteps, gatherTimestampSteps } from './gather-steps.ts'
export { joinSteps } from './join-steps.ts'
export { type SortedRows, sortSegment, sortSteps } from './sort.ts'
export { atOnce, inTurns, type Pause, STEP_BYTES, STEP_ROWS, StepMeter, type Steps } from './steps.ts'
export {
  type EncodedFile,
  type SegmentIdentity,
  writeDeltaFile,
  type WriteDeltaOptions,
  writeSegmentFile,
  type WriteSegmentOptions,
} from './write.ts'
