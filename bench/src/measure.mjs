/** Ways to measure that the families share. Rates are per second, times in ms. */

/** Thrown where a row cannot be measured here: no server, no peer. */
export class Skip extends Error {}

export const median = (values) => percentile(values, 0.5)

/** The p-quantile, between neighbours interpolated. */
export function percentile(values, p) {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (sorted.length - 1) * p
  const low = Math.floor(at)
  const high = Math.ceil(at)
  return sorted[low] + (sorted[high] - sorted[low]) * (at - low)
}

/** How often per second `work` (which does `units` units) runs, for about `ms`. */
export function rateOf(work, { units = 1, ms = 150 } = {}) {
  const begin = performance.now()
  let rounds = 0
  let elapsed = 0
  do {
    work()
    rounds += 1
    elapsed = performance.now() - begin
  } while (elapsed < ms)
  return (rounds * units * 1000) / elapsed
}

/** The same for asynchronous work. */
export async function rateOfAsync(work, { units = 1, ms = 150 } = {}) {
  const begin = performance.now()
  let rounds = 0
  let elapsed = 0
  do {
    await work(rounds)
    rounds += 1
    elapsed = performance.now() - begin
  } while (elapsed < ms)
  return (rounds * units * 1000) / elapsed
}

/** Runs `total` calls with `width` in flight: `{ perSecond, latencies }`. */
export async function inFlight(call, { total, width }) {
  const latencies = new Float64Array(total)
  let next = 0
  const begin = performance.now()
  await Promise.all(Array.from({ length: Math.min(width, total) }, async () => {
    while (next < total) {
      const i = next
      next += 1
      const start = performance.now()
      await call(i)
      latencies[i] = performance.now() - start
    }
  }))
  return { perSecond: (total * 1000) / (performance.now() - begin), latencies }
}

/** How many ms one run of `work` takes. */
export async function timeOf(work) {
  const begin = performance.now()
  await work()
  return performance.now() - begin
}

/** The built entry of a workspace, or a skip that says it is not there. */
export async function load(name) {
  try {
    return await import(name)
  } catch (error) {
    if (error.code === 'ERR_MODULE_NOT_FOUND' || error.code === 'ERR_PACKAGE_PATH_NOT_EXPORTED') throw new Skip(`${name} is not there (${error.message.split('\n')[0]})`)
    throw error
  }
}

/** A public name of a module, or a skip. */
export async function loadName(module, name) {
  const loaded = await load(module)
  if (loaded[name] === undefined) throw new Skip(`${module} has no ${name}`)
  return loaded[name]
}
