/**
 * A thread that is ended while it runs native code ends the whole process: Node-API refuses what that code does next, and the
 * library throws where nobody catches. So a thread says when it is inside, and is asked to stay outside before it is ended.
 */
import { EngineError } from './errors.ts'

/** Shared by a thread and the one that started it. */
export type NativeGate = Int32Array

const CLOSED = 0
const INSIDE = 1

export function createGate(): NativeGate {
  return new Int32Array(new SharedArrayBuffer(8))
}

/** From now on nothing enters; what is inside goes on. */
export function closeGate(gate: NativeGate): void {
  Atomics.store(gate, CLOSED, 1)
}

export function isInside(gate: NativeGate): boolean {
  return Atomics.load(gate, INSIDE) === 1
}

/** Holds this thread until nobody is inside, or the time is over. */
export function waitOutside(gate: NativeGate, timeoutMs: number): void {
  Atomics.wait(gate, INSIDE, 1, timeoutMs)
}

let own: NativeGate | undefined

/** The gate of this thread; without one (the main thread is not ended) calls pass freely. */
export function useGate(gate: NativeGate): void {
  own = gate
}

/** Runs a call of native code. Throws ENGINE_CLOSED where the thread is to end. */
export function throughGate<T>(call: () => T): T {
  if (own === undefined) return call()
  enter(own)
  try {
    return call()
  } finally {
    leave(own)
  }
}

/** The same for what loads native code, which is asynchronous. */
export async function throughGateAsync<T>(call: () => Promise<T>): Promise<T> {
  if (own === undefined) return call()
  enter(own)
  try {
    return await call()
  } finally {
    leave(own)
  }
}

function enter(gate: NativeGate): void {
  // In this order: either the other side sees that somebody is inside, or this side sees that it is closed.
  Atomics.store(gate, INSIDE, 1)
  if (Atomics.load(gate, CLOSED) === 0) return
  leave(gate)
  throw new EngineError('ENGINE_CLOSED', 'the engine was closed')
}

function leave(gate: NativeGate): void {
  Atomics.store(gate, INSIDE, 0)
  Atomics.notify(gate, INSIDE)
}
