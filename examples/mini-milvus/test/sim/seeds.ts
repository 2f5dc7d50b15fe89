/** Which seeds a run takes, and how a failure is told. */
import type { SimulationResult } from './simulation.ts'

/** Every seed that ever failed, with what it found; they run first. */
export const FAILED_SEEDS: readonly number[] = [
  // A load that a failing store or a restarting data node cut stayed at 0 % until the next start.
  10, 12, 41,
  // A read that began before a key was resolved was held to what came later (the model's own defect).
  16, 27,
  // A collection that was released and loaded again while a read waited answered with nothing.
  1035, 1054, 1104, 1230, 1283, 1409, 1498,
]

/** Reaches what few do: writes while the disk is full. */
const RARE_SEED = 5

/** Seeds of a ring: few by default, 500 in CI, many in a soak. A run of one: `SEED=<n>`. */
export function seedsOf(ring: string | undefined, seed: string | undefined): number[] {
  if (seed !== undefined) return [Number(seed)]
  const count = ring === 'ci' ? 500 : ring === 'soak' ? 25_000 : 25
  return [...FAILED_SEEDS, RARE_SEED, ...Array.from({ length: count }, (_, index) => 1_000 + index)]
}

export function report({ seed, violations, recent }: SimulationResult, what = 'node'): string {
  return `SIM=${what} SEED=${seed}\n${violations.slice(0, 10).join('\n')}\n--- what happened before\n${recent}`
}
