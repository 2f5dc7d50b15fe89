/** Child processes and worker threads that are watched, and restarted when they hang or die. */
export { createChildComponent, createWorkerComponent, startBeats } from './process/child.edge.ts'
export type { BeatOptions, ChildComponentOptions, WorkerComponentOptions } from './process/child.edge.ts'
export type { LivingComponent } from './process/life.ts'
