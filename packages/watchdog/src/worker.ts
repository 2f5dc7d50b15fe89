/// <reference lib="esnext.disposable" />
/** An event loop that is watched from a worker thread. */
export { startLoopWatch } from './loop-watch.edge.ts'
export type { LoopStall, LoopWatch, LoopWatchOptions } from './loop-watch.edge.ts'
