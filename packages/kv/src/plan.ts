/** What a transaction changes, decided on a view of the store and nothing else: the same code for every local engine. */
import type { Change, Txn } from './engine.ts'
import type { KVCondition, Revision } from './kv.ts'

export interface PlanView {
  /** What conditions look at: `undefined` where there is no such key. */
  get(key: string): { readonly revision: Revision } | undefined
  keysWithPrefix(prefix: string): Iterable<string>
}

function holds(condition: KVCondition, entry: { readonly revision: Revision } | undefined): boolean {
  if ('exists' in condition) return condition.exists === (entry !== undefined)
  return condition.modRevision === (entry?.revision ?? 0n)
}

/** The changes of `txn` at `revision`, or `undefined` when a condition fails. Removals come first, saves win. */
export function planTxn(view: PlanView, txn: Txn, revision: Revision): Change[] | undefined {
  for (const condition of txn.when) {
    if (!holds(condition, view.get(condition.key))) return undefined
  }
  const changes: Change[] = []
  if (txn.removals.length > 0 || txn.removePrefix !== undefined) planRemovals(view, txn, revision, changes)
  for (const [key, value] of txn.saves) changes.push({ key, value, revision, created: view.get(key) === undefined })
  return changes
}

function planRemovals(view: PlanView, txn: Txn, revision: Revision, changes: Change[]): void {
  const settled = new Set<string>()
  for (const [key] of txn.saves) settled.add(key)
  const remove = (key: string): void => {
    if (settled.has(key)) return
    settled.add(key)
    changes.push({ key, value: undefined, revision, created: false })
  }
  for (const key of txn.removals) if (view.get(key) !== undefined) remove(key)
  if (txn.removePrefix !== undefined) for (const key of view.keysWithPrefix(txn.removePrefix)) remove(key)
}
