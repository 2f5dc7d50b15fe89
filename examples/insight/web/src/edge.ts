/** Time and chance of the browser. */
export const now = (): number => Date.now()
export const random = (): number => Math.random()

/** Calls once after `ms`; the result cancels it. */
export function after(ms: number, callback: () => void): () => void {
  const timer = setTimeout(callback, ms)
  return () => clearTimeout(timer)
}

export function every(ms: number, callback: () => void): () => void {
  const timer = setInterval(callback, ms)
  return () => clearInterval(timer)
}

/** Before the next picture; at once where none is drawn. */
export function beforePaint(callback: () => void): void {
  if (document.visibilityState === 'hidden') callback()
  else requestAnimationFrame(callback)
}
