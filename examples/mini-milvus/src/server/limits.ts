/** Bounds of the public port. Each has a default and a refusal beyond it. */
export interface ServerLimits {
  readonly maxReceiveBytes: number
  readonly maxSendBytes: number
  /** Sum of the requests that are being handled; beyond it calls get Status code 8 and may retry. */
  readonly maxInFlightBytes: number
  readonly maxStreamsPerConnection: number
  readonly maxConnections: number
  /** From one address other than loopback. */
  readonly maxConnectionsPerAddress: number
  /** From a connection's first moment until it has said which protocol it speaks, and for HTTP headers. */
  readonly headerTimeoutMs: number
  readonly requestTimeoutMs: number
  readonly idleTimeoutMs: number
  readonly keepaliveTimeMs: number
  readonly keepaliveTimeoutMs: number
  /** After this long a call is aborted, whatever its client asked for. */
  readonly callTimeoutMs: number
  readonly maxHeaderBytes: number
  readonly maxHeaderCount: number
  readonly maxJsonDepth: number
  /** How long `close` lets running calls finish. */
  readonly closeGraceMs: number
}

const MIB = 1024 * 1024

export const defaultLimits: ServerLimits = {
  maxReceiveBytes: 64 * MIB,
  maxSendBytes: 256 * MIB,
  maxInFlightBytes: 256 * MIB,
  maxStreamsPerConnection: 256,
  maxConnections: 1000,
  maxConnectionsPerAddress: 100,
  headerTimeoutMs: 15_000,
  requestTimeoutMs: 60_000,
  idleTimeoutMs: 600_000,
  keepaliveTimeMs: 30_000,
  keepaliveTimeoutMs: 20_000,
  callTimeoutMs: 300_000,
  maxHeaderBytes: 16 * 1024,
  maxHeaderCount: 100,
  maxJsonDepth: 64,
  closeGraceMs: 2_000,
}
