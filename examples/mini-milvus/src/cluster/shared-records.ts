/**
 * Small metadata that every proxy reads and any may change: users and rights, resource groups. Each keeps a mirror that follows the store. A
 * change is planned on the newest state and written only if that is still the newest, so that two at once cannot undo each other; it
 * is done when every proxy that serves knows it.
 */
import type { KVBase } from '@timetick/kv'
import type { NodeClock } from '../edge/system.ts'
import { RpcError } from '../internal/errors.ts'
import { type OpenRecords, RecordMirror, textsOf, type RecordChange, type RecordStore, type RecordStoreOptions } from '../coordinator/record-store.ts'
import { FollowedPrefix, REVISION_KEY } from './followed-prefix.ts'
import type { ClusterMember } from './member.ts'
import type { Mirrors } from './mirrors.ts'

export interface SharedRecordsOptions<Kinds> extends Pick<RecordStoreOptions<Kinds>, 'rootPath' | 'kinds'> {
  readonly kv: KVBase
  readonly clock: NodeClock
  /** Of this process, the catalog's among them: plans read that, too. */
  readonly mirrors: Mirrors
  /** Resolves when every proxy that serves knows this mirror as of a revision. */
  readonly tell: (mirror: string, revision: bigint) => Promise<void>
  readonly onProblem: (message: string, error: unknown) => void
}

/** Users, rights and resource groups, as all proxies of the cluster know them. */
export function sharedRecordsOf({ stores, mirrors, tell }: Pick<ClusterMember, 'stores' | 'mirrors' | 'tell'>, clock: NodeClock, onProblem: SharedRecordsOptions<unknown>['onProblem']): OpenRecords {
  return (what) => openSharedRecords({ ...what, kv: stores.kv, clock, mirrors, tell, onProblem })
}

/** Another change came first so often: somebody writes all the time. */
const MAX_ATTEMPTS = 50

export async function openSharedRecords<Kinds>(options: SharedRecordsOptions<Kinds>): Promise<RecordStore<Kinds>> {
  const { kv, clock, rootPath, kinds, mirrors, onProblem } = options
  const records = new RecordMirror<Kinds>(kinds)
  const opening = FollowedPrefix.open({
    kv, clock, prefix: rootPath,
    onEvents: (events) => records.show(events.map(({ key, value }) => [key, value] as const)),
    onProblem: (error) => onProblem(`${rootPath} could not be followed`, error),
  })
  mirrors.add(rootPath, opening)
  return new SharedRecords(options, records, await opening)
}

class SharedRecords<Kinds> implements RecordStore<Kinds> {
  readonly #options: SharedRecordsOptions<Kinds>
  readonly #records: RecordMirror<Kinds>
  readonly #followed: FollowedPrefix
  #tail: Promise<void> = Promise.resolve()

  constructor(options: SharedRecordsOptions<Kinds>, records: RecordMirror<Kinds>, followed: FollowedPrefix) {
    this.#options = options
    this.#records = records
    this.#followed = followed
  }

  get version(): number {
    return this.#records.version
  }

  get: RecordStore<Kinds>['get'] = (kind, name) => this.#records.get(kind, name)
  all: RecordStore<Kinds>['all'] = (kind) => this.#records.all(kind)

  change(plan: () => readonly RecordChange<Kinds>[]): Promise<void> {
    const done = this.#tail.then(() => this.#change(plan))
    this.#tail = done.catch(() => undefined)
    return done
  }

  settled(): Promise<void> {
    return this.#tail
  }

  async close(): Promise<void> {
    await this.#tail
    await this.#followed.close()
  }

  async #change(plan: () => readonly RecordChange<Kinds>[]): Promise<void> {
    const { mirrors, rootPath, tell } = this.#options
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      await this.#followed.catchUp()
      const before = this.#followed.revisionOf(REVISION_KEY) ?? 0n
      // Behind the records: what they name by its id is known then, or is gone.
      await mirrors.catchUp()
      if ((this.#followed.revisionOf(REVISION_KEY) ?? 0n) !== before) continue
      const texts = textsOf(plan())
      if (texts.size === 0) return
      const revision = await this.#write(texts, before)
      if (revision === undefined) continue
      await this.#followed.waitFor(revision)
      await tell(rootPath, revision)
      return
    }
    throw new RpcError('RPC_OVERLOADED', `${rootPath} changed ${MAX_ATTEMPTS} times meanwhile`, { outcome: 'not-applied' })
  }

  /** Undefined when another change came first. */
  async #write(texts: ReadonlyMap<string, string | undefined>, before: bigint): Promise<bigint | undefined> {
    const { kv, rootPath } = this.#options
    const saves = new Map([[rootPath + REVISION_KEY, before.toString()]])
    const removals: string[] = []
    for (const [key, text] of texts) {
      if (text === undefined) removals.push(rootPath + key)
      else saves.set(rootPath + key, text)
    }
    const { applied, revision } = await kv.multiSaveAndRemove(saves, removals, { when: [{ key: rootPath + REVISION_KEY, modRevision: before }] })
    return applied ? revision : undefined
  }
}
