/** Where the metadata store keeps what commits are made of. */

/** Below it, by id: the record with which a commit counts. Its form: `Transaction`. */
export const COMMITS = 'visibility/commits/'
/**
 * Below it, by the collection's id: the timestamp of its last commit, as decimal text, never falling; what every later read of the
 * collection must see. In a cluster only; every commit saves `revision` (`REVISION_KEY`) beside, for those who mirror it.
 */
export const LAST_COMMITS = 'visibility/last/'
/** Below it, by log channel: saved anew whenever commits that are under way on the channel must fail. In a cluster only. */
export const COMMIT_FENCES = 'visibility/fences/'
