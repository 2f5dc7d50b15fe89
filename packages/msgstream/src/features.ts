/** What a resolved `send` survives: nothing, `kill -9` of the process, or a power cut. */
export type Durability = 'memory' | 'process' | 'power'

/** What a queue can do. Frozen; a call of something absent rejects with `MSG_UNSUPPORTED`. */
export interface MqFeatures {
  readonly backend: string
  readonly durability: Durability
  /** `sendTransient` works: ticks that follow no data need not be stored. */
  readonly transient: boolean
  /** `truncate` frees storage. */
  readonly truncate: boolean
  /** Several channels in one `broadcast` become durable together or not at all. */
  readonly atomicBroadcast: boolean
  /** Other processes may read the same channels while one writes. */
  readonly sharing: 'none' | 'readers' | 'writers'
  readonly maxFrameBytes: number
}
