/** One real turn of the loop: drains all microtasks, and those who wait for the next turn. */
export function turn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve)
  })
}
