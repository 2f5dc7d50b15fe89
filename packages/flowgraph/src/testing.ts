/**
 * For tests of graphs: an event loop without time, and random graphs with a model of what they must do.
 *
 * A graph takes `clock` and `scheduler` of a {@link VirtualTime}; `time.run(graph.closed)` then runs it to its end, the same way each
 * time, and rejects if it stalls.
 */
export { graphFromMarbles } from './testing/marbles.ts'
export type { MarbleGraph, MarbleMsg } from './testing/marbles.ts'
export { line, modelTrace } from './testing/model.ts'
export type { Trace } from './testing/model.ts'
export { answer, failuresAt, randomGraph, valueOf } from './testing/random-dag.ts'
export type { RandomGraphOptions, SampleGraph, SampleMsg, SampleNode } from './testing/random-dag.ts'
export { buildSample } from './testing/sample-run.ts'
export type { SampleRun, SampleRunOptions } from './testing/sample-run.ts'
export { mix, seeded } from './testing/seeded.ts'
export { VirtualTime } from './testing/virtual-time.ts'
