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

/** A window that is covered draws no pictures, and does not always say so. */
const LATEST_MS = 250

/** Before the next picture; soon where none is drawn, at once where none will be. */
export function beforePaint(callback: () => void): void {
  if (document.visibilityState === 'hidden') return callback()
  const frame = requestAnimationFrame(() => {
    clearTimeout(timer)
    callback()
  })
  const timer = setTimeout(() => {
    cancelAnimationFrame(frame)
    callback()
  }, LATEST_MS)
}
