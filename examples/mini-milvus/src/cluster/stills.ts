/**
 * Changes of the rule of visibility in a cluster: refused while a client of any proxy has staged work on the collection. Every proxy says what
 * it has, and keeps new work waiting until the change is done.
 */
import type { NodeClock } from '../edge/system.ts'
import { Code, MilvusError } from '../server/status.ts'
import type { Staging } from '../staging/staging.ts'
import { askProxies, type ProxiesOptions } from './each-proxy.ts'

export interface StillRequest {
  /** Names the change. */
  readonly token: string
  readonly collectionIds: readonly bigint[]
  /** False: the change is done, or was given up. */
  readonly on: boolean
}

export interface StillReply {
  /** Of the collections, those with staged work here. */
  readonly staged: readonly bigint[]
}

export interface StillsOptions extends ProxiesOptions {
  readonly clock: Pick<NodeClock, 'monotonic' | 'setTimer'>
}

type Stages = Pick<Staging, 'whileStill' | 'hasWork'>

interface Hold {
  readonly end: () => void
  cancelTimer: () => void
}

/** A change of which nothing more is heard is over. */
const HOLD_MS = 15_000
const RENEW_MS = 5_000
/** Changes that are over, of which a word may still be under way. */
const MAX_ENDED = 1_000

export class Stills {
  readonly #options: StillsOptions
  /** Of others. */
  readonly #holds = new Map<string, Hold>()
  /** Collections that others have staged work on, while a change of this proxy looks at them. */
  readonly #elsewhere = new Map<string, ReadonlySet<bigint>>()
  readonly #ended = new Set<string>()
  #stages: Stages | undefined
  #count = 0

  constructor(options: StillsOptions) {
    this.#options = options
  }

  /** From now on this process is a proxy that stages. */
  attach(stages: Stages): void {
    this.#stages = stages
  }

  /** Another proxy asks, once or again. */
  async answer({ token, collectionIds, on }: StillRequest): Promise<StillReply> {
    const stages = this.#stages
    const held = this.#holds.get(token)
    if (!on) {
      this.#ended.add(token)
      for (const oldest of this.#ended) if (this.#ended.size > MAX_ENDED) this.#ended.delete(oldest)
      held?.end()
    }
    if (stages === undefined || this.#ended.has(token)) return { staged: [] }
    if (held === undefined) this.#hold(stages, token, collectionIds)
    else this.#renew(held)
    return { staged: collectionIds.filter((id) => stages.hasWork(id)) }
  }

  /** Whether a client of any proxy has staged work on it, within {@link whileStill}. */
  hasStagedWork(collectionId: bigint): boolean {
    return this.#stages?.hasWork(collectionId) === true || [...this.#elsewhere.values()].some((ids) => ids.has(collectionId))
  }

  /** Nobody stages anything on the collections, on no proxy, between the look at what is staged and the end of the work. Rejects when a proxy does not say what it has. */
  async whileStill<T>(collectionIds: readonly bigint[], work: () => Promise<T>): Promise<T> {
    const stages = this.#stages
    if (stages === undefined) return work()
    const { address, clock } = this.#options
    const token = `${address} ${(this.#count += 1)}`
    const ask = (on: boolean): ReturnType<typeof askProxies<StillReply>> => askProxies(this.#options, (api, timeoutMs) => api.stillStaging({ token, collectionIds, on }, { timeoutMs }))
    return stages.whileStill(collectionIds, async () => {
      let cancelRenewal: (() => void) | undefined
      const renew = (): void => {
        cancelRenewal = clock.setTimer(() => {
          ask(true).catch(() => undefined)
          renew()
        }, RENEW_MS)
      }
      try {
        const answers = await ask(true)
        if (answers.some(({ is }) => is === 'silent')) throw new MilvusError(Code.NotReady, 'service not ready: a proxy does not say whether its clients have staged work, retry')
        renew()
        this.#elsewhere.set(token, new Set(answers.flatMap((answer) => (answer.is === 'answer' ? answer.value.staged : []))))
        return await work()
      } finally {
        cancelRenewal?.()
        this.#elsewhere.delete(token)
        // Those that do not hear it go on by themselves.
        ask(false).catch(() => undefined)
      }
    })
  }

  close(): void {
    for (const { end } of this.#holds.values()) end()
  }

  #hold(stages: Stages, token: string, collectionIds: readonly bigint[]): void {
    let release = (): void => undefined
    const released = new Promise<void>((resolve) => {
      release = resolve
    })
    const hold: Hold = {
      end: () => {
        hold.cancelTimer()
        this.#holds.delete(token)
        release()
      },
      cancelTimer: this.#options.clock.setTimer(() => hold.end(), HOLD_MS),
    }
    this.#holds.set(token, hold)
    void stages.whileStill(collectionIds, () => released)
  }

  #renew(hold: Hold): void {
    hold.cancelTimer()
    hold.cancelTimer = this.#options.clock.setTimer(hold.end, HOLD_MS)
  }
}
