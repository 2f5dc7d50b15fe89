/** Consecutive numbers as two words instead of a list: what the oracle and the allocators hand out. */
import { checkBigint, checkInteger } from './check.ts'

export class BigintRange implements Iterable<bigint> {
  /** The first number of the range. */
  readonly first: bigint
  /** How many there are, at least 1. */
  readonly count: number

  constructor(first: bigint, count: number) {
    this.first = first
    this.count = count
  }

  /** The last number of the range (inclusive). */
  get last(): bigint {
    return this.first + BigInt(this.count - 1)
  }

  /** The number at `index`, 0 to `count - 1`. */
  at(index: number): bigint {
    checkInteger('index', index, 0, this.count - 1)
    return this.first + BigInt(index)
  }

  /** `count` numbers from `offset` on. */
  slice(offset: number, count: number): BigintRange {
    checkInteger('offset', offset, 0, this.count - 1)
    checkInteger('count', count, 1, this.count - offset)
    return new BigintRange(this.first + BigInt(offset), count)
  }

  *[Symbol.iterator](): Iterator<bigint> {
    const { first, count } = this
    for (let index = 0; index < count; index++) yield first + BigInt(index)
  }

  /** A fresh array; 8 bytes a number. */
  toBigUint64Array(): BigUint64Array {
    const array = new BigUint64Array(this.count)
    let value = this.first
    for (let index = 0; index < array.length; index++) array[index] = value++
    return array
  }

  /** Decimal strings, because JSON knows no bigint. */
  toJSON(): { first: string; last: string; count: number } {
    return { first: String(this.first), last: String(this.last), count: this.count }
  }
}

/** Timestamps of one millisecond, in ascending order. */
export type TimestampRange = BigintRange
/** Ids in ascending order. */
export type IdRange = BigintRange

/** The range `first` … `first + count - 1`; what a source of your own gives. */
export function createRange(first: bigint, count: number): BigintRange {
  checkInteger('count', count, 1, Number.MAX_SAFE_INTEGER)
  checkBigint('first', first, 0n, 2n ** 64n - BigInt(count))
  return new BigintRange(first, count)
}
