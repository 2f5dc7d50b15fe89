import type { Core } from './core.ts'
import type { Edge } from './vertex.ts'

/** Woken at half: a sender that is woken for each slot would trade bursts for single steps. */
export function wakeSender(core: Core, edge: Edge): void {
  if (!edge.wanted || edge.queue.length > edge.limit >> 1 || edge.bytes > edge.limitBytes / 2) return
  edge.wanted = false
  core.mark(edge.from)
}
