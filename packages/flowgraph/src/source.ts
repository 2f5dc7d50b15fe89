/** The steps of a source: ask, take one message, let it through `operate`. */
import { describeValue } from './arguments.ts'
import type { Core } from './core.ts'
import { passBarrier } from './cut.ts'
import type { Msg } from './msg.ts'
import type { SourceResult } from './node.ts'
import { deliver } from './route.ts'
import { isWatched } from './tracing.ts'
import { execute, finish } from './execute.ts'
import type { SourceState, Vertex } from './vertex.ts'

const NONE: readonly Msg[] = []

export function stepSource(core: Core, vertex: Vertex, source: SourceState): boolean {
  const { barrier } = source
  // Behind the barrier's tick, and nothing at or below it can come any more: the barrier first.
  if (barrier !== undefined && isBarrierDue(vertex, source, barrier)) {
    if (vertex.tasks.length > 0) return false
    source.barrier = undefined
    passBarrier(core, vertex)
    return true
  }
  const msg = takeHeld(source)
  if (msg !== undefined) return pass(core, vertex, source, msg)
  if (source.end !== 'open') {
    finish(core, vertex, source.end)
    return false
  }
  if (source.waiting || !pull(core, vertex, source)) return false
  const given = source.barrier === undefined && !core.stopped ? takeHeld(source) : undefined
  return given === undefined || pass(core, vertex, source, given)
}

function isBarrierDue(vertex: Vertex, source: SourceState, barrier: bigint): boolean {
  if (vertex.lastTick >= barrier) return true
  const next = source.held ?? source.batch?.[source.at]
  return next === undefined ? source.end === 'ended' : next.timeTick > barrier
}

/** Read no more: what was handed over still goes through. */
export function cutSource(core: Core, vertex: Vertex, source: SourceState): void {
  if (source.end === 'open') source.end = 'cut'
  core.mark(vertex)
  void core.closeNode(vertex)
}

function takeHeld(source: SourceState): Msg | undefined {
  const { held, batch } = source
  if (held !== undefined) {
    source.held = undefined
    return held
  }
  if (batch === undefined) return undefined
  const msg = batch[source.at++]
  if (source.at >= batch.length) source.batch = undefined
  return msg
}

function pull(core: Core, vertex: Vertex, source: SourceState): boolean {
  let result: SourceResult | Promise<SourceResult>
  try {
    result = source.node.next(core.signal)
  } catch (error) {
    sourceFailed(core, vertex, error)
    return false
  }
  if (!(result instanceof Promise)) {
    accept(core, vertex, source, result)
    return true
  }
  source.waiting = true
  result.then(
    (messages) => {
      source.waiting = false
      // What comes after the cut was not handed over: its position is not passed, a restart reads it again.
      if (core.stopped || source.end !== 'open') return
      accept(core, vertex, source, messages)
      core.mark(vertex)
      core.run()
    },
    (error: unknown) => {
      source.waiting = false
      if (!core.stopped && source.end === 'open') sourceFailed(core, vertex, error)
    },
  )
  return false
}

function accept(core: Core, vertex: Vertex, source: SourceState, result: SourceResult): void {
  if (result === undefined) {
    source.end = 'ended'
  } else if (Array.isArray(result)) {
    source.at = 0
    if (result.length > 0 && result.every((msg) => isMsg(core, vertex, msg))) source.batch = result as readonly Msg[]
  } else if (isMsg(core, vertex, result)) {
    source.held = result as Msg
  }
}

function pass(core: Core, vertex: Vertex, source: SourceState, msg: Msg): boolean {
  const tick = msg.timeTick
  if (tick <= vertex.lastTick) return passOld(core, vertex, source, tick)
  if (!source.begun) {
    source.begun = true
    if (core.startTick < 0n) core.startTick = tick
  }
  if (!source.passesOn || msg.skipThisTick === true || isWatched(core)) execute(core, vertex, tick, [msg], msg.skipThisTick === true)
  else {
    // What an InputNode's own `operate` would lead to.
    vertex.lastTick = tick
    vertex.completed++
    deliver(core, vertex, tick, NONE, msg)
  }
  return true
}

/** What the checkpoint holds is dropped; anything else must not be. */
function passOld(core: Core, vertex: Vertex, source: SourceState, tick: bigint): boolean {
  if (tick < 0n) return notAMessage(core, vertex, `one with timeTick ${describeValue(tick)}`)
  if (tick <= source.above) return true
  core.fail('FLOW_TICK_NOT_RISING', `source "${vertex.node.name}" gave tick ${tick} after ${vertex.lastTick}`, vertex, tick)
  return false
}

/** Whether it is not negative shows when it passes. */
function isMsg(core: Core, vertex: Vertex, msg: unknown): boolean {
  if (typeof msg === 'object' && msg !== null && typeof (msg as Partial<Msg>).timeTick === 'bigint') return true
  const hasTick = typeof msg === 'object' && msg !== null && 'timeTick' in msg
  return notAMessage(core, vertex, hasTick ? `one with timeTick ${describeValue(msg.timeTick)}` : describeValue(msg))
}

function notAMessage(core: Core, vertex: Vertex, got: string): false {
  core.fail('FLOW_SOURCE_FAILED', `expected source "${vertex.node.name}" to give messages with a timeTick >= 0n, got ${got}`, vertex, undefined)
  return false
}

function sourceFailed(core: Core, vertex: Vertex, cause: unknown): void {
  const reason = cause instanceof Error ? cause.message : String(cause)
  core.fail('FLOW_SOURCE_FAILED', `source "${vertex.node.name}" failed: ${reason}`, vertex, undefined, cause)
}
