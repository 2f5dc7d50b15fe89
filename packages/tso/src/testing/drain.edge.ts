/** One real turn of the event loop: every microtask that is due has run when it resolves. */
export function drainMicrotasks(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
