/** When everybody who asks in this turn of the event loop has asked. */
export function afterTurn(callback: () => void): void {
  setImmediate(callback)
}

/** When all microtasks that are due have run: sooner, and enough when nothing is under way. */
export function afterMicrotasks(callback: () => void): void {
  process.nextTick(callback)
}
