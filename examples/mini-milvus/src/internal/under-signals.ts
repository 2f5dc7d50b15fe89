/**
 * Runs under a signal that aborts when the first of these does, and lets go of them when it ends. `AbortSignal.any` leaves something behind
 * at each of them for every signal that is made of it: at one that lives as long as the process that is a leak (Node 20).
 */
export async function underSignals<T>(signals: readonly AbortSignal[], run: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const abort = new AbortController()
  const stops: (() => void)[] = []
  for (const signal of signals) {
    const onAbort = (): void => abort.abort(signal.reason)
    if (signal.aborted) onAbort()
    else {
      signal.addEventListener('abort', onAbort, { once: true })
      stops.push(() => signal.removeEventListener('abort', onAbort))
    }
  }
  try {
    return await run(abort.signal)
  } finally {
    for (const stop of stops) stop()
  }
}
