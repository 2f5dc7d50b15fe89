/** Work whose waiting keeps no process alive by itself, such as a pause by a clock of the node. */
export async function keepAlive<T>(run: () => Promise<T>): Promise<T> {
  const timer = setInterval(() => undefined, 2 ** 30)
  try {
    return await run()
  } finally {
    clearInterval(timer)
  }
}
