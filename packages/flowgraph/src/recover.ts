/** The error policy of a node at work. */
import type { Core } from './core.ts'
import type { ErrorPolicy } from './error-policy.ts'
import type { Msg, OperateResult } from './msg.ts'
import { callOperate } from './tracing.ts'
import type { Vertex } from './vertex.ts'

/** Instead of a result: the tick was given up, a skip marker goes on. */
export const GIVEN_UP = Symbol('given up')

/** What comes of a tick whose first `operate` failed with `first`; rejects with the last error if the graph shall stop. */
export async function recover(
  core: Core,
  vertex: Vertex,
  policy: ErrorPolicy,
  tick: bigint,
  inputs: readonly Msg[],
  first: unknown,
): Promise<OperateResult | typeof GIVEN_UP> {
  const { retries = 0, backoffMs = 100, maxBackoffMs = 5_000, isRetryable = () => true } = policy
  let error = first
  let attempts = 1
  for (; attempts <= retries && !core.stopped && isRetryable(error); attempts++) {
    await pause(core, Math.min(maxBackoffMs, backoffMs * 2 ** (attempts - 1)))
    if (core.stopped) throw error
    vertex.retried++
    try {
      return await callOperate(core, vertex, tick, inputs)
    } catch (next) {
      error = next
    }
  }
  if (core.stopped || (policy.action ?? 'fail') === 'fail') throw error
  await policy.deadLetter?.({ node: vertex.node.name, timeTick: tick, inputs, error, attempts })
  vertex.failed++
  return GIVEN_UP
}

/** Ends early when the graph stops. */
function pause({ clock, signal }: Core, ms: number): Promise<void> {
  if (signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const done = (): void => {
      cancel()
      signal.removeEventListener('abort', done)
      resolve()
    }
    const cancel = clock.setTimer(done, ms)
    signal.addEventListener('abort', done, { once: true })
  })
}
