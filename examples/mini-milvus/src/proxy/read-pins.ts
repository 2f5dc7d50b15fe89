/**
 * The moments of iterators where several query nodes answer: which picture of the collection their pages are divided after. The nodes
 * keep what it names for as long as pages come; here it is only remembered.
 */
import type { NodeClock } from '../edge/system.ts'
import type { CollectionMeta } from '../model/meta.ts'
import type { ReplicaRecord } from '../model/target.ts'

export interface ReadPin {
  readonly ts: bigint
  readonly keepMs: number
  /** That there were. */
  readonly partitionIds: readonly bigint[]
  /** The replica, with the target that answered the last page. Undefined before the first. */
  record: ReplicaRecord | undefined
  /** Monotonic ms. */
  lookedAt: number
}

const MAX_PINS = 4096

export class ReadPins {
  readonly #clock: Pick<NodeClock, 'monotonic'>
  /** The one that was looked at longest ago first. */
  readonly #pins = new Map<string, ReadPin>()

  constructor(clock: Pick<NodeClock, 'monotonic'>) {
    this.#clock = clock
  }

  add({ id, partitions }: CollectionMeta, ts: bigint, keepMs: number): void {
    this.#forgetOld()
    const key = keyOf(id, ts)
    // Two iterators of one moment are kept for as long as one of them needs.
    if (!this.#pins.has(key)) this.#look(key, { ts, keepMs, partitionIds: partitions.map((partition) => partition.id), record: undefined, lookedAt: 0 })
  }

  /** Undefined where it is not known (any more), or where something of the collection is gone that it had. This is a look at it. */
  find(collection: CollectionMeta, ts: bigint): ReadPin | undefined {
    const key = keyOf(collection.id, ts)
    const pin = this.#pins.get(key)
    if (pin === undefined) return undefined
    const isWhole = collection.truncatedTs <= ts && pin.partitionIds.every((id) => collection.partitions.some((partition) => partition.id === id))
    if (isWhole && !this.#isOver(pin)) this.#look(key, pin)
    else this.#pins.delete(key)
    return this.#pins.get(key)
  }

  #look(key: string, pin: ReadPin): void {
    pin.lookedAt = this.#clock.monotonic()
    this.#pins.delete(key)
    this.#pins.set(key, pin)
  }

  #isOver({ lookedAt, keepMs }: ReadPin): boolean {
    return this.#clock.monotonic() - lookedAt >= keepMs
  }

  #forgetOld(): void {
    for (const [key, pin] of this.#pins) {
      if (this.#pins.size < MAX_PINS && !this.#isOver(pin)) return
      this.#pins.delete(key)
    }
  }
}

function keyOf(collectionId: bigint, ts: bigint): string {
  return `${collectionId}/${ts}`
}
