/** Messages of one flush, each made once for all who get the very same. */
import type { Layer } from '../core/layer.ts'
import type { Interest } from './topics.ts'

/** A text that goes to many; whoever sends it keeps its bytes here, so that they too are made once. */
export interface SharedText {
  readonly text: string
  bytes: Uint8Array | undefined
}

/** Events of a layer after `from`, up to `to`, that an interest is in. */
export interface EventRun {
  readonly interest: Interest
  readonly layer: Layer
  readonly from: number
  readonly to: number
}

interface Last extends EventRun {
  readonly id: string
  readonly n: number
  readonly message: SharedText
}

export class Batch {
  readonly #lists = new Map<string, string>()
  readonly #messages = new Map<string, SharedText>()
  /** Most clients want what the one before them got. */
  #last: Last | undefined

  /** The `ev` message of a run; undefined where nothing in it is of interest. `n` is its number in the subscription. */
  message(run: EventRun, id: string, n: number, make: () => string): SharedText | undefined {
    const last = this.#last
    const { interest, layer, from, to } = run
    if (last !== undefined && last.to === to && last.from === from && last.n === n && last.layer === layer && last.id === id && last.interest.signature === interest.signature) return last.message
    const runKey = `${layer.epoch}\n${from}\n${to}\n${interest.signature}`
    let list = this.#lists.get(runKey)
    if (list === undefined) this.#lists.set(runKey, (list = make()))
    if (list === '') return undefined
    const key = `${n}\n${id}\n${runKey}`
    let message = this.#messages.get(key)
    if (message === undefined) this.#messages.set(key, (message = { text: `{"t":"ev","id":${JSON.stringify(id)},"n":${n},"e":[${list}]}`, bytes: undefined }))
    this.#last = { interest, layer, from, to, id, n, message }
    return message
  }

  clear(): void {
    this.#lists.clear()
    this.#messages.clear()
    this.#last = undefined
  }
}
