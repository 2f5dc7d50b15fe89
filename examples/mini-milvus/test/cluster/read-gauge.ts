/** A number that a process tells of itself. @param name with its labels, or without: the first one's then */
export async function gaugeOf(metricsAddress: string, name: string): Promise<number> {
  const response = await fetch(`http://${metricsAddress}/metrics`, { signal: AbortSignal.timeout(10_000) })
  const line = (await response.text()).split('\n').find((one) => one.startsWith(`${name} `) || one.startsWith(`${name}{`))
  if (line === undefined) throw new Error(`${metricsAddress} tells no ${name}`)
  return Number(line.slice(line.lastIndexOf(' ') + 1))
}
