/** The leader removes what is kept of commits when nobody can need it any more: as `staging/forgetting.ts` on a node alone. */
import type { KVBase } from '@timetick/kv'
import { positionFromJson, type MsgPositionJson } from '@timetick/msgstream'
import { addDuration } from '@timetick/tso'
import type { MetaReader } from '../coordinator/api.ts'
import type { NodeClock } from '../edge/system.ts'
import { COMMITS, LAST_COMMITS } from '../staging/commit-keys.ts'
import { loadCommits } from './commit-records.ts'
import { REVISION_KEY } from './followed-prefix.ts'

export interface CommitForgettingOptions {
  readonly kv: Pick<KVBase, 'loadWithPrefix' | 'multiSaveAndRemove'>
  readonly catalog: Pick<MetaReader, 'collectionById'> & { checkpoint(pchannel: string): string | undefined }
  readonly timestamps: { allocOne(): Promise<bigint> }
  readonly clock: Pick<NodeClock, 'setTimer'>
  /** Removals hold only while this one leads. */
  readonly leader: { readonly key: string; readonly modRevision: bigint }
  readonly onProblem: (message: string, error: unknown) => void
}

const INTERVAL_MS = 10_000
/** For those who look for one that was written a moment ago: proxies without an answer, and readers that begin to read from a checkpoint. */
const KEPT_MS = 120_000
const REMOVED_AT_ONCE = 100
const PAGE = 1_000

export class CommitForgetting {
  readonly #options: CommitForgettingOptions
  #cancelTimer: (() => void) | undefined
  #running: Promise<void> = Promise.resolve()
  #closed = false

  constructor(options: CommitForgettingOptions) {
    this.#options = options
    this.#schedule()
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#cancelTimer?.()
    await this.#running
  }

  /** Owners have all parts in segments, and so will whoever begins to read: each owner's decision is in the log before its channel's time passes it. */
  async forget(): Promise<void> {
    const { kv, timestamps } = this.#options
    const oldest = addDuration(await timestamps.allocOne(), -KEPT_MS)
    const gone = await loadCommits(kv, ({ ts, channels }) => ts < oldest && channels.every((channel) => this.#passed(channel) > ts))
    await this.#remove([...gone.keys()].map((id) => COMMITS + id))
    await this.#remove(await this.#ofGoneCollections())
  }

  #schedule(): void {
    const { clock, onProblem } = this.#options
    if (this.#closed) return
    this.#cancelTimer = clock.setTimer(() => {
      this.#running = this.forget()
        .catch((error: unknown) => {
          if (!this.#closed) onProblem('commit records could not be removed', error)
        })
        .finally(() => this.#schedule())
    }, INTERVAL_MS)
  }

  #passed(pchannel: string): bigint {
    const checkpoint = this.#options.catalog.checkpoint(pchannel)
    return checkpoint === undefined ? 0n : positionFromJson(JSON.parse(checkpoint) as MsgPositionJson).timestamp
  }

  /** Ids never come again, and nothing can be committed to a collection that is gone. */
  async #ofGoneCollections(): Promise<string[]> {
    const { kv, catalog } = this.#options
    const gone: string[] = []
    let startAfter: string | undefined
    for (let more = true; more;) {
      const page = await kv.loadWithPrefix(LAST_COMMITS, { limit: PAGE, startAfter })
      gone.push(...page.keys.filter((key) => key !== LAST_COMMITS + REVISION_KEY && catalog.collectionById(BigInt(key.slice(LAST_COMMITS.length))) === undefined))
      startAfter = page.keys.at(-1)
      more = page.more
    }
    return gone
  }

  async #remove(keys: readonly string[]): Promise<void> {
    const { kv, leader } = this.#options
    for (let begin = 0; begin < keys.length && !this.#closed; begin += REMOVED_AT_ONCE) {
      const { applied } = await kv.multiSaveAndRemove([], keys.slice(begin, begin + REMOVED_AT_ONCE), { when: [leader] })
      if (!applied) return
    }
  }
}
