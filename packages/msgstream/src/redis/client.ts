import type { NodeBuffer } from '../remote/node-buffer.ts'

/** What is used of ioredis 5.11 or 6: a client of your own fits when it has these. */
export type RedisArgument = string | number | NodeBuffer

export interface RedisClient {
  readonly status: string
  callBuffer(command: string, ...args: RedisArgument[]): Promise<unknown>
  on(event: 'ready' | 'close' | 'end' | 'error', listener: (error: unknown) => void): unknown
  disconnect(): void
}

/** A client whose settings are copied; it is not used itself. */
export interface RedisTemplate {
  duplicate(override?: object): unknown
}
