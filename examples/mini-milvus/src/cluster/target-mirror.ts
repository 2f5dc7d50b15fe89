/** The replicas of all loaded collections as every process but the one that decides knows them: followed in the store. */
import { FollowedPrefix, REVISION_KEY, type FollowedStore } from './followed-prefix.ts'
import type { NodeClock } from '../edge/system.ts'
import type { ReplicaRecord, TargetReader } from '../model/target.ts'
import { ReplicaTexts } from '../querycoord/replica-texts.ts'
import { TARGET_ROOT } from '../querycoord/target-store.ts'

export interface TargetMirrorOptions {
  readonly kv: FollowedStore
  readonly clock: Pick<NodeClock, 'setTimer'>
  readonly onProblem?: ((error: unknown) => void) | undefined
}

export class TargetMirror implements TargetReader {
  readonly #texts = new ReplicaTexts()
  readonly #listeners = new Set<(collectionId: bigint) => void>()
  #followed: FollowedPrefix | undefined

  private constructor() {}

  static async open({ kv, clock, onProblem }: TargetMirrorOptions): Promise<TargetMirror> {
    const mirror = new TargetMirror()
    mirror.#followed = await FollowedPrefix.open({
      kv, clock, onProblem, prefix: TARGET_ROOT,
      onEvents: (events) => {
        for (const { key, value } of events) if (key !== REVISION_KEY) mirror.#texts.apply(key, value)
        for (const id of mirror.#texts.settle()) for (const listener of Array.from(mirror.#listeners)) mirror.#tell(listener, id, onProblem)
      },
    })
    return mirror
  }

  replicas(collectionId: bigint): readonly ReplicaRecord[] {
    return this.#texts.replicas(collectionId)
  }

  collectionIds(): readonly bigint[] {
    return this.#texts.collectionIds()
  }

  onChange(listener: (collectionId: bigint) => void): () => void {
    const entry = (collectionId: bigint): void => listener(collectionId)
    this.#listeners.add(entry)
    return () => this.#listeners.delete(entry)
  }

  /** Resolves when everything is seen here that was decided before the call. */
  async catchUp(signal?: AbortSignal): Promise<void> {
    await this.#followed?.catchUp(signal)
  }

  /** Resolves when everything up to this revision is seen here. */
  async waitFor(revision: bigint, signal?: AbortSignal): Promise<void> {
    await this.#followed?.waitFor(revision, signal)
  }

  async close(): Promise<void> {
    await this.#followed?.close()
  }

  #tell(listener: (collectionId: bigint) => void, id: bigint, onProblem: ((error: unknown) => void) | undefined): void {
    try {
      listener(id)
    } catch (error) {
      onProblem?.(error)
    }
  }
}
