/** How bytes get from one process of a cluster to another. Two transports: gRPC, and one in memory for simulations. */
export interface TransportCall {
  /** Rejects with its reason; the other side's signal aborts. */
  readonly signal?: AbortSignal | undefined
  /** After so long the call fails with `RPC_TIMEOUT`, and the other side's signal aborts. */
  readonly timeoutMs: number
}

/** What a process answers: `path` is `<service>/<method>`. It never rejects: failures of what is called are in the bytes. */
export type ServeBytes = (path: string, request: Uint8Array, signal: AbortSignal) => Promise<Uint8Array>

export interface TransportServer {
  /** Where others reach it. */
  readonly address: string
  /** Refuses new calls, lets running ones finish for a while. Idempotent. */
  close(): Promise<void>
}

export interface Transport {
  /**
   * Rejects with `RpcError`: `RPC_UNAVAILABLE` (outcome `not-applied` where it surely did not arrive), `RPC_TIMEOUT`, `RPC_TOO_LARGE`,
   * `RPC_UNAUTHENTICATED`, `RPC_CLOSED`.
   */
  call(address: string, path: string, request: Uint8Array, options: TransportCall): Promise<Uint8Array>
  /** @param paths all that may be called */
  serve(paths: readonly string[], serve: ServeBytes): Promise<TransportServer>
  /** Of the calling side. Idempotent. */
  close(): Promise<void>
}
