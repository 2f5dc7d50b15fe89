/** Waiting in tests: on conditions, with a limit. */
import assert from 'node:assert/strict'

export async function within<T>(promise: Promise<T>, limitMs: number, what: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new assert.AssertionError({ message: `${what}: nothing within ${limitMs} ms` })), limitMs)
  })
  try {
    return await Promise.race([promise, late])
  } finally {
    clearTimeout(timer)
  }
}

export async function eventually(condition: () => Promise<boolean>, limitMs: number, what: string): Promise<void> {
  const start = performance.now()
  while (!(await condition())) {
    if (performance.now() - start > limitMs) assert.fail(`${what}: not within ${limitMs} ms`)
    await new Promise((resolve) => {
      setTimeout(resolve, 2)
    })
  }
}

/** Gives the ms since it was started. */
export function stopwatch(): () => number {
  const start = performance.now()
  return () => performance.now() - start
}
