/** How much a test does: little by default, more in CI, as much as is asked for in a soak. */
const ring = process.env['TIMETICK_RING']

export function inRing<T>(local: T, ci: T, soak: T): T {
  return ring === 'soak' ? soak : ring === 'ci' ? ci : local
}
