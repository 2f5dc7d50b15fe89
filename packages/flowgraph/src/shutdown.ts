import type { Clock } from './clock.ts'
import type { Engine } from './engine.ts'

/**
 * After the stop: wait for running operators and for the last checkpoint to be `saved`, then close the nodes that are still open, from the
 * sources down. False if it took longer than `timeoutMs`: then every node has been asked to close, and nobody is waited for any more.
 */
export async function shutDown(engine: Engine, clock: Clock, timeoutMs: number, saved: Promise<void>): Promise<boolean> {
  let cancel = (): void => {}
  const timeout = new Promise<false>((resolve) => (cancel = clock.setTimer(() => resolve(false), timeoutMs)))
  const inTime = await Promise.race([closeInOrder(engine).then(() => saved.then(() => true as const)), timeout])
  cancel()
  if (!inTime) for (const vertex of engine.vertices) void engine.closeNode(vertex)
  return inTime
}

async function closeInOrder(engine: Engine): Promise<true> {
  // Sources first and all at once: a read that waits for the far side is released by this.
  const sources = engine.vertices.filter(({ source }) => source !== undefined).map((vertex) => engine.closeNode(vertex))
  await engine.idle()
  for (const closing of sources) await closing
  for (const vertex of engine.vertices) await engine.closeNode(vertex)
  return true
}
