/** What is used of ioredis, as a structure: no type of the driver leaves this package. `Redis` and `Cluster` fit. */

export type RedisArgument = string | Buffer | number

/** A client of ioredis. It serves as the pattern for the store's own connections and is not used itself. */
export interface RedisTemplate {
  readonly status: string
  readonly isCluster?: boolean
  duplicate(...args: never[]): object
}

/** One of the store's own connections. */
export interface RedisClient {
  readonly status: string
  /** The answer with bytes as Buffers. */
  callBuffer(command: string, ...args: RedisArgument[]): Promise<unknown>
  disconnect(reconnect?: boolean): void
  on(event: string, listener: (...args: unknown[]) => void): unknown
}
