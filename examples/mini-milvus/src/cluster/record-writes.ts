/**
 * Small metadata that every proxy reads and any may change, as the leader writes it: planned by a proxy on the newest state that it
 * knows, written only while this coordinator leads and that state is still the newest.
 */
import type { KVBase } from '@timetick/kv'
import { RpcError } from '../internal/errors.ts'
import { REVISION_KEY } from './followed-prefix.ts'

/** What is written so, and by nobody else. */
export const RECORD_ROOTS: readonly string[] = ['rbac/', 'resource-groups/']

export interface RecordsWrite {
  /** One of {@link RECORD_ROOTS}. */
  readonly root: string
  /** Of the root's revision record, as the change was planned; 0n: there was none. */
  readonly before: bigint
  /** Keys `<kind>/<name>` below the root. */
  readonly saves: ReadonlyMap<string, string>
  readonly removals: readonly string[]
}

export interface RecordsWritten {
  /** Mirrors that have this revision show it. Undefined: another change came first, nothing was written. */
  readonly revision?: bigint | undefined
}

/** Its term: the key under which leaders are elected, and its revision since. */
export interface RecordLeader {
  readonly key: string
  readonly modRevision: bigint
  /** Somebody else leads. */
  readonly onFenced: () => void
}

export async function writeRecords(kv: Pick<KVBase, 'multiSaveAndRemove' | 'loadEntry'>, { key, modRevision, onFenced }: RecordLeader, { root, before, saves, removals }: RecordsWrite): Promise<RecordsWritten> {
  const keys = [...saves.keys(), ...removals]
  if (!RECORD_ROOTS.includes(root)) throw refused(`no records are kept under ${root.slice(0, 100)}`)
  const strange = keys.find((one) => !/^[^/]+\/./s.test(one))
  if (strange !== undefined) throw refused(`expected a key of records to be <kind>/<name>, got ${strange.slice(0, 100)}`)
  const revisionKey = root + REVISION_KEY
  const pairs = new Map([...saves].map(([one, text]) => [root + one, text] as const)).set(revisionKey, before.toString())
  const when = [{ key, modRevision }, { key: revisionKey, modRevision: before }]
  const { applied, revision } = await kv.multiSaveAndRemove(pairs, removals.map((one) => root + one), { when })
  if (applied) return { revision }
  if ((await kv.loadEntry(key))?.modRevision === modRevision) return {}
  onFenced()
  throw new RpcError('RPC_NOT_LEADER', 'another coordinator leads: nothing was changed', { outcome: 'not-applied' })
}

function refused(message: string): RpcError {
  return new RpcError('RPC_MALFORMED', message, { outcome: 'not-applied' })
}
