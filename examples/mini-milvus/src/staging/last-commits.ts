/** What every read that begins from now on must see of a collection, whatever level of consistency it asks for: the last flush of rule `flush`. */

export interface LastCommits {
  /** 0n: there is none. */
  lastCommit(collectionId: bigint): bigint
  /** A flush of these collections counts. */
  committed(collectionIds: readonly bigint[], ts: bigint): void
  /** The collection is gone. */
  forget(collectionId: bigint): void
}

/** For the reads of one process, which has read everything of former ones. */
export function createLastCommits(): LastCommits {
  const last = new Map<bigint, bigint>()
  return {
    lastCommit: (collectionId) => last.get(collectionId) ?? 0n,
    committed(collectionIds, ts) {
      for (const id of collectionIds) last.set(id, ts)
    },
    forget: (collectionId) => void last.delete(collectionId),
  }
}
