/**
 * How often clients are written to, and how many in one go. A write to a socket is a call into the system, some 15 µs, and nothing
 * makes it cheaper but fewer of them: the more clients there are, and the more the process around them has to do, the more goes
 * into one write (G5 where it is calm, G14 where it is not).
 */
export interface Pace {
  /** From the first change to the writes that tell of it. */
  readonly waitMs: number
  /** Clients that are written to before other work gets its turn. */
  readonly clientsPerTurn: number
}

/** 100 ms for a thousand clients: a tenth of a core goes into writes, and they are told within 150 ms. */
const CALM_MS_PER_CLIENT = 0.1
/** 500 ms for a thousand, 50 ms for a hundred: a fortieth of two cores. */
const BUSY_MS_PER_CLIENT = 0.5

/** Shares of the processor below which a process is calm, and above which it is busy; in between it is so in part. */
const CALM = 0.3
const BUSY = 0.5

/** @param load how busy the process is, 0 to 1 */
export function paceOf(clients: number, load: number, minWaitMs: number): Pace {
  const share = Number.isFinite(load) ? Math.min(1, Math.max(0, (load - CALM) / (BUSY - CALM))) : 0
  return {
    waitMs: Math.max(minWaitMs, clients * (CALM_MS_PER_CLIENT + share * (BUSY_MS_PER_CLIENT - CALM_MS_PER_CLIENT))),
    clientsPerTurn: share < 0.5 ? 250 : 50,
  }
}
