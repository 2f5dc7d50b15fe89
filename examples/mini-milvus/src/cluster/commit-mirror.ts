/** The last flush of each collection, as every proxy knows it: none serves a read without a flush that was answered before, whoever did it. */
import type { NodeClock } from '../edge/system.ts'
import { LAST_COMMITS } from '../staging/commit-keys.ts'
import type { LastCommits } from '../staging/last-commits.ts'
import { FollowedPrefix, REVISION_KEY, type FollowedStore } from './followed-prefix.ts'
import type { Mirror, Mirrors } from './mirrors.ts'

/** The mirror's name. */
export const COMMITS = 'commits'

export interface CommitMirrorOptions {
  readonly kv: FollowedStore
  readonly clock: Pick<NodeClock, 'setTimer'>
  /** Of this process: from now on others wait for this one. */
  readonly mirrors: Mirrors
  readonly onProblem?: ((error: unknown) => void) | undefined
}

export class CommitMirror implements LastCommits, Mirror {
  readonly #last = new Map<string, bigint>()
  #followed: FollowedPrefix | undefined

  private constructor() {}

  static open(options: CommitMirrorOptions): Promise<CommitMirror> {
    const mirror = new CommitMirror()
    const opening = mirror.#open(options).then(() => mirror)
    options.mirrors.add(COMMITS, opening)
    return opening
  }

  lastCommit(collectionId: bigint): bigint {
    return this.#last.get(String(collectionId)) ?? 0n
  }

  /** The store tells of them. */
  committed(): void {}

  forget(): void {}

  async waitFor(revision: bigint, signal?: AbortSignal): Promise<void> {
    await this.#followed?.waitFor(revision, signal)
  }

  async catchUp(signal?: AbortSignal): Promise<void> {
    await this.#followed?.catchUp(signal)
  }

  async close(): Promise<void> {
    await this.#followed?.close()
  }

  async #open({ kv, clock, onProblem }: CommitMirrorOptions): Promise<void> {
    this.#followed = await FollowedPrefix.open({ kv, clock, onProblem, prefix: LAST_COMMITS, onEvents: (events) => events.forEach(({ key, value }) => this.#apply(key, value)) })
  }

  #apply(key: string, value: string | undefined): void {
    if (key === REVISION_KEY) return
    if (value === undefined) this.#last.delete(key)
    else this.#last.set(key, BigInt(value))
  }
}
