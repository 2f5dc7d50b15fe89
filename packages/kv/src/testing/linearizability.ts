/**
 * Is a history of concurrent calls one that a single copy could have given? Wing and Gong's search with Lowe's memory of
 * what was tried (as porcupine does it): take any call that no other ended before, try its effect, go back when stuck.
 */

/** One call. `start` and `end` are any numbers that grow with time; a call whose outcome is unknown ends at `Infinity`. */
export interface HistoryCall<I, O> {
  readonly input: I
  /** Absent when the caller never learned it. */
  readonly output?: O | undefined
  readonly start: number
  readonly end: number
}

/** The one copy: what a call does to the state. Must not change `state`. */
export interface SequentialModel<S, I, O> {
  readonly initial: S
  /** The state behind the call, or `undefined` where it cannot have given this output. Without output all is possible. */
  step(state: S, input: I, output: O | undefined): S | undefined
  /** Text that is equal for equal states. */
  identify(state: S): string
  /** Calls of different parts do not touch each other and are looked at alone. Without it: all in one. */
  partition?(input: I): string
}

export interface LinearizabilityResult<I, O> {
  readonly ok: boolean
  /** The search was given up: neither yes nor no. `ok` is false. */
  readonly gaveUp: boolean
  /** Of the part that cannot be explained: the calls that went in at best, and one where each way was stuck. */
  readonly failure: { readonly partition: string; readonly explained: readonly HistoryCall<I, O>[]; readonly stuckAt: HistoryCall<I, O> | undefined } | undefined
}

export interface LinearizabilityOptions {
  /** Steps of the search for each part. Default 1,000,000. */
  readonly maxSteps?: number | undefined
}

interface Node<I, O> {
  readonly call: HistoryCall<I, O>
  readonly index: number
  /** Of a beginning: its end. */
  readonly ending: Node<I, O> | undefined
  next: Node<I, O> | undefined
  previous: Node<I, O> | undefined
}

/** Checks each part of a history on its own. */
export function checkLinearizable<S, I, O>(
  model: SequentialModel<S, I, O>, history: readonly HistoryCall<I, O>[], options: LinearizabilityOptions = {},
): LinearizabilityResult<I, O> {
  const parts = new Map<string, HistoryCall<I, O>[]>()
  for (const call of history) {
    const name = model.partition?.(call.input) ?? ''
    const part = parts.get(name)
    if (part === undefined) parts.set(name, [call])
    else part.push(call)
  }
  for (const [partition, calls] of parts) {
    const found = new Search(model, calls).run(options.maxSteps ?? 1_000_000)
    if (found !== undefined) return { ok: false, gaveUp: found.gaveUp, failure: { partition, explained: found.explained, stuckAt: found.stuckAt } }
  }
  return { ok: true, gaveUp: false, failure: undefined }
}

interface Stuck<I, O> {
  readonly gaveUp: boolean
  readonly explained: readonly HistoryCall<I, O>[]
  readonly stuckAt: HistoryCall<I, O> | undefined
}

class Search<S, I, O> {
  readonly #model: SequentialModel<S, I, O>
  readonly #head: Node<I, O>
  readonly #tried = new Set<string>()
  readonly #taken: { readonly node: Node<I, O>; readonly state: S }[] = []
  #bits = 0n
  #best: readonly HistoryCall<I, O>[] = []
  #stuckAt: HistoryCall<I, O> | undefined

  constructor(model: SequentialModel<S, I, O>, calls: readonly HistoryCall<I, O>[]) {
    this.#model = model
    this.#head = listOf(calls)
  }

  run(maxSteps: number): Stuck<I, O> | undefined {
    let state = this.#model.initial
    let node = this.#head.next
    for (let step = 0; this.#head.next !== undefined && node !== undefined; step++) {
      if (step >= maxSteps) return this.#stuck(true)
      if (node.ending === undefined) {
        // Its call must come before all that begins now, but nothing took it.
        this.#remember(node)
        const back = this.#taken.pop()
        if (back === undefined) return this.#stuck(false)
        state = back.state
        this.#bits ^= 1n << BigInt(back.node.index)
        unlift(back.node)
        node = back.node.next
        continue
      }
      const after = this.#model.step(state, node.call.input, node.call.output)
      if (after === undefined || !this.#isNew(node, after)) {
        node = node.next
        continue
      }
      this.#taken.push({ node, state })
      this.#bits |= 1n << BigInt(node.index)
      state = after
      lift(node)
      node = this.#head.next
    }
    return undefined
  }

  #isNew(node: Node<I, O>, after: S): boolean {
    const key = `${(this.#bits | (1n << BigInt(node.index))).toString(36)} ${this.#model.identify(after)}`
    if (this.#tried.has(key)) return false
    this.#tried.add(key)
    return true
  }

  #remember(node: Node<I, O>): void {
    if (this.#stuckAt !== undefined && this.#taken.length <= this.#best.length) return
    this.#best = this.#taken.map((entry) => entry.node.call)
    this.#stuckAt = node.call
  }

  #stuck(gaveUp: boolean): Stuck<I, O> {
    return { gaveUp, explained: this.#best, stuckAt: this.#stuckAt }
  }
}

/** Beginnings and ends in the order of time; at the same time beginnings come first: those calls overlap. */
function listOf<I, O>(calls: readonly HistoryCall<I, O>[]): Node<I, O> {
  const nodes: { readonly time: number; readonly node: Node<I, O> }[] = []
  calls.forEach((call, index) => {
    const ending: Node<I, O> = { call, index, ending: undefined, next: undefined, previous: undefined }
    nodes.push({ time: call.start, node: { call, index, ending, next: undefined, previous: undefined } }, { time: call.end, node: ending })
  })
  const isEnd = (node: Node<I, O>): number => (node.ending === undefined ? 1 : 0)
  nodes.sort((a, b) => (a.time === b.time ? isEnd(a.node) - isEnd(b.node) : a.time - b.time))
  const head: Node<I, O> = { call: { start: 0, end: 0 } as HistoryCall<I, O>, index: -1, ending: undefined, next: undefined, previous: undefined }
  let last = head
  for (const { node } of nodes) {
    last.next = node
    node.previous = last
    last = node
  }
  return head
}

function unlink<I, O>(node: Node<I, O>): void {
  if (node.previous !== undefined) node.previous.next = node.next
  if (node.next !== undefined) node.next.previous = node.previous
}

function relink<I, O>(node: Node<I, O>): void {
  if (node.previous !== undefined) node.previous.next = node
  if (node.next !== undefined) node.next.previous = node
}

function lift<I, O>(node: Node<I, O>): void {
  unlink(node)
  if (node.ending !== undefined) unlink(node.ending)
}

function unlift<I, O>(node: Node<I, O>): void {
  if (node.ending !== undefined) relink(node.ending)
  relink(node)
}
