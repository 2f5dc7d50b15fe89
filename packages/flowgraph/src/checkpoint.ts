/** What a graph knows at one tick, and where it is kept. */

/** One node's part of a checkpoint. */
export interface NodeSnapshot {
  /** Given to `restore` when a graph starts from the checkpoint. */
  readonly state?: string | undefined
  /**
   * Effects: keys and values to be saved in one transaction with the states. The node gives them away: the next snapshot has what came after.
   * If they cannot be saved the graph stops, and a start from the checkpoint before makes them again.
   */
  readonly writes?: Readonly<Record<string, string>> | undefined
}

/** A consistent cut: every node has seen all ticks up to `timeTick`, and none above. */
export interface Checkpoint {
  /** -1n: no tick has passed. */
  readonly timeTick: bigint
  /** By node name; nodes without state are not there. */
  readonly states: ReadonlyMap<string, string>
  /** Of all nodes together; where two nodes write one key, the one further down wins. */
  readonly writes: ReadonlyMap<string, string>
}

export interface CheckpointStore {
  /** The last one saved, without its writes. */
  load(): Promise<Checkpoint | undefined>
  /** States and writes take effect together or not at all. */
  save(checkpoint: Checkpoint): Promise<void>
}

/** What is asked of a `KVBase` of `@timetick/kv`. */
export interface CheckpointKV {
  load(key: string): Promise<string | undefined>
  multiSave(kvs: Readonly<Record<string, string>>): Promise<unknown>
}

/**
 * Keeps the last checkpoint under `key` of a store with transactions; writes go to the keys they name, in the same transaction. One
 * writer: two graphs must not share a key.
 */
export function createKVCheckpointStore(kv: CheckpointKV, key: string): CheckpointStore {
  return {
    async load() {
      const text = await kv.load(key)
      return text === undefined ? undefined : decodeCheckpoint(text)
    },
    async save(checkpoint) {
      if (checkpoint.writes.has(key)) throw new RangeError(`expected no node to write the key of the checkpoint, got ${JSON.stringify(key)}`)
      await kv.multiSave({ ...Object.fromEntries(checkpoint.writes), [key]: encodeCheckpoint(checkpoint) })
    },
  }
}

/** Tick and states as JSON text. */
export function encodeCheckpoint({ timeTick, states }: Checkpoint): string {
  return JSON.stringify({ version: 1, timeTick: timeTick.toString(), states: [...states] })
}

export function decodeCheckpoint(text: string): Checkpoint {
  const value: unknown = JSON.parse(text)
  if (!isStored(value)) throw new TypeError(`expected a checkpoint of version 1, got ${text.slice(0, 64)}`)
  return { timeTick: BigInt(value.timeTick), states: new Map(value.states), writes: new Map() }
}

interface Stored {
  readonly timeTick: string
  readonly states: readonly (readonly [string, string])[]
}

function isStored(value: unknown): value is Stored {
  if (typeof value !== 'object' || value === null || !('version' in value) || value.version !== 1) return false
  if (!('timeTick' in value) || typeof value.timeTick !== 'string' || !/^(-1|\d{1,20})$/.test(value.timeTick)) return false
  const isPair = (pair: unknown): boolean => Array.isArray(pair) && pair.length === 2 && pair.every((part) => typeof part === 'string')
  return 'states' in value && Array.isArray(value.states) && value.states.every(isPair)
}
