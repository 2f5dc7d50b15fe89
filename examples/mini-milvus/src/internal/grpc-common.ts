/** What both sides of calls over gRPC agree on. */

export interface GrpcTransportOptions {
  readonly host: string
  /** 0: any free one. */
  readonly port: number
  /** What others reach it by; the host and the port that were bound unless given. */
  readonly advertise?: string | undefined
  /** Both sides must have the same; '' for none. */
  readonly secret?: string | undefined
  readonly tls?: InternalTls | undefined
  /** Asked before the first call to an address: `false` refuses it. @default any */
  readonly mayCall?: ((address: string) => boolean) | undefined
  /** Of one message. @default 256 MiB */
  readonly maxBytes?: number | undefined
  /** Calls under way here; more are refused. @default 4096 */
  readonly maxCalls?: number | undefined
  /** How long a close lets running calls finish. @default 5000 */
  readonly closeGraceMs?: number | undefined
  readonly clock: { setTimer(callback: () => void, delayMs: number): () => void; now(): number }
}

/** PEM of a certificate that serves and calls, its key, and who signed those of the others. */
export interface InternalTls {
  readonly cert: Uint8Array
  readonly key: Uint8Array
  readonly ca: Uint8Array
}

export const PREFIX = '/timetick.internal.'
export const STREAM = `${PREFIX}Calls/stream`
export const SECRET = 'timetick-secret'
export const MAX_BYTES = 256 * 1024 * 1024

export function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

export function asBytes(bytes: Buffer): Uint8Array {
  return bytes
}
