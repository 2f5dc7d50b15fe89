/**
 * The key of a channel on which commits depend: one is recorded only while every channel that it writes to has the key that its owner named
 * when the commit began. Saved anew, it makes whatever was begun before fail for good: so an owner that waits for no decision any more
 * can find out what was decided.
 */
import type { KVBase } from '@timetick/kv'
import { COMMIT_FENCES } from '../staging/commit-keys.ts'
import { commitFenceText } from './fence-records.ts'

export class CommitFence {
  readonly #kv: Pick<KVBase, 'loadEntry' | 'multiSaveAndRemove'>
  readonly #key: string
  readonly #epoch: bigint
  #revision: bigint
  #count = 0
  /** A renewal that has not come to its end: what is known of the revision may be too old. */
  #underWay: Promise<boolean> | undefined

  /** @param revision of the key, as this owner saved it when it took the channel over */
  constructor(kv: Pick<KVBase, 'loadEntry' | 'multiSaveAndRemove'>, pchannel: string, epoch: number, revision: bigint) {
    this.#kv = kv
    this.#key = COMMIT_FENCES + pchannel
    this.#epoch = BigInt(epoch)
    this.#revision = revision
  }

  /** Of the key. Commits that begin with a revision too old fail: nothing worse. */
  async revision(): Promise<bigint> {
    await this.#underWay?.catch(() => false)
    return this.#revision
  }

  /**
   * Resolves when nothing that began before this call can be recorded any more; with `false` when the channel is another's by now. Rejects
   * when the store does not answer: to be called again.
   */
  renew(): Promise<boolean> {
    const renewed = (this.#underWay ?? Promise.resolve(true)).catch(() => true).then(() => this.#renew())
    this.#underWay = renewed
    const forget = (): void => {
      if (this.#underWay === renewed) this.#underWay = undefined
    }
    renewed.then(forget, forget)
    return renewed
  }

  async #renew(): Promise<boolean> {
    for (;;) {
      const text = commitFenceText(this.#epoch, (this.#count += 1))
      const { applied, revision } = await this.#kv.multiSaveAndRemove(new Map([[this.#key, text]]), [], { when: [{ key: this.#key, modRevision: this.#revision }] })
      if (applied) {
        this.#revision = revision
        return true
      }
      // One of this owner's own, whose answer was lost, or another owner's.
      const entry = await this.#kv.loadEntry(this.#key)
      if (entry === undefined || !entry.value.startsWith(`${this.#epoch}.`)) return false
      this.#revision = entry.modRevision
    }
  }
}
