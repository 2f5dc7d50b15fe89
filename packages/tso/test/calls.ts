/** What many processes were served, and whether it is one order without a duplicate. */
export interface Calls {
  readonly startUs: number
  readonly endUs: number
  readonly first: bigint
  readonly count: number
}

/** As `fixtures/client-process.ts` writes them. */
export function readCalls(bytes: Uint8Array): Calls[] {
  const numbers = new Float64Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength))
  const words = new BigUint64Array(numbers.buffer)
  return Array.from({ length: numbers.length / 4 }, (_, index) => ({
    startUs: numbers[index * 4] ?? 0,
    endUs: numbers[index * 4 + 1] ?? 0,
    first: words[index * 4 + 2] ?? 0n,
    count: numbers[index * 4 + 3] ?? 0,
  }))
}

const lastOf = ({ first, count }: Calls): bigint => first + BigInt(count) - 1n
const compare = (a: bigint | number, b: bigint | number): number => (a < b ? -1 : a > b ? 1 : 0)

/** No timestamp twice, and a call that started after another ended got greater ones. At most ten of each kind are told. */
export function faultsOf(calls: readonly Calls[]): string[] {
  const twice: string[] = []
  const byFirst = calls.toSorted((a, b) => compare(a.first, b.first))
  for (const [index, call] of byFirst.entries()) {
    const before = byFirst[index - 1]
    if (before !== undefined && lastOf(before) >= call.first) twice.push(`${call.first} twice`)
  }
  const disorder: string[] = []
  const byEnd = calls.toSorted((a, b) => a.endUs - b.endUs)
  let ended = 0
  let greatest = -1n
  for (const call of calls.toSorted((a, b) => a.startUs - b.startUs)) {
    for (let next = byEnd[ended]; next !== undefined && next.endUs < call.startUs; next = byEnd[++ended]) {
      if (lastOf(next) > greatest) greatest = lastOf(next)
    }
    if (call.first <= greatest) disorder.push(`${call.first} after ${greatest}`)
  }
  return [...twice.slice(0, 10), ...disorder.slice(0, 10)]
}

/** After each of the losses, given in the order of time: the longest time in which nobody got an answer. */
export function gapsMs(calls: readonly Calls[], lossesUs: readonly number[]): number[] {
  const ends = calls.map(({ endUs }) => endUs).sort((a, b) => a - b)
  const gaps = lossesUs.map(() => 0)
  let loss = -1
  for (const [index, endUs] of ends.entries()) {
    while (endUs > (lossesUs[loss + 1] ?? Infinity)) loss++
    if (loss >= 0) gaps[loss] = Math.max(gaps[loss] ?? 0, (endUs - (ends[index - 1] ?? endUs)) / 1_000)
  }
  return gaps
}
