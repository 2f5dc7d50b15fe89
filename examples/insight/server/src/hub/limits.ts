/** Limits of the hub; all are parameters of the program under `insight.`. */
export interface HubLimits {
  readonly maxClients: number
  readonly maxClientsPerPeer: number
  /** Clients at once that have not said who they are, where they must. */
  readonly maxUnknown: number
  readonly maxSubscriptions: number
  readonly maxViews: number
  /** Messages a second that a client may send in the long run, and at once. */
  readonly messagesPerSecond: number
  readonly messageBurst: number
  /** Bytes that wait in a socket: above `pause` nothing more is written, below `resume` it goes on, above `drop` the client is let go. */
  readonly pauseBytes: number
  readonly resumeBytes: number
  readonly dropBytes: number
  readonly maxPausedMs: number
  readonly helloMs: number
  readonly batchMs: number
  readonly gaugeMs: number
  readonly markMs: number
}

export const DEFAULT_LIMITS: HubLimits = {
  maxClients: 1000,
  maxClientsPerPeer: 20,
  maxUnknown: 50,
  maxSubscriptions: 32,
  maxViews: 8,
  messagesPerSecond: 20,
  messageBurst: 40,
  pauseBytes: 256 * 1024,
  resumeBytes: 64 * 1024,
  dropBytes: 2 ** 20,
  maxPausedMs: 30_000,
  helloMs: 5000,
  batchMs: 25,
  gaugeMs: 1000,
  markMs: 15_000,
}
