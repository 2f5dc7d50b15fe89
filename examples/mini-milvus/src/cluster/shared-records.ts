/**
 * Small metadata that every proxy reads and any may change: users and rights, resource groups. Each keeps a mirror that follows the store. A
 * change is planned on the newest state and written, by the coordinator that leads, only if that is still the newest, so that two at once cannot undo each other;
 * it is done when every proxy that serves knows it.
 */
import type { NodeClock } from '../edge/system.ts'
import { RpcError } from '../internal/errors.ts'
import { type OpenRecords, RecordMirror, textsOf, type RecordChange, type RecordStore, type RecordStoreOptions } from '../coordinator/record-store.ts'
import { FollowedPrefix, type FollowedStore, REVISION_KEY } from './followed-prefix.ts'
import type { ClusterMember } from './member.ts'
import type { Mirrors } from './mirrors.ts'
import type { RecordsWrite, RecordsWritten } from './record-writes.ts'

export interface SharedRecordsOptions<Kinds> extends Pick<RecordStoreOptions<Kinds>, 'rootPath' | 'kinds'> {
  readonly kv: FollowedStore
  readonly clock: NodeClock
  /** Of this process, the catalog's among them: plans read that, too. */
  readonly mirrors: Mirrors
  /** By whoever leads. */
  readonly write: (change: RecordsWrite) => Promise<RecordsWritten>
  /** Resolves when every proxy that serves knows this mirror as of a revision. */
  readonly tell: (mirror: string, revision: bigint) => Promise<void>
  readonly onProblem: (message: string, error: unknown) => void
}

/** Users, rights and resource groups, as all proxies of the cluster know them. */
export function sharedRecordsOf({ stores, coordinator, mirrors, tell }: Pick<ClusterMember, 'stores' | 'coordinator' | 'mirrors' | 'tell'>, clock: NodeClock, onProblem: SharedRecordsOptions<unknown>['onProblem']): OpenRecords {
  return (what) => openSharedRecords({ ...what, kv: stores.kv, write: (change) => coordinator.saveRecords(change), clock, mirrors, tell, onProblem })
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
    const { mirrors, rootPath: root, write, tell } = this.#options
    for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
      await this.#followed.catchUp()
      const before = this.#followed.revisionOf(REVISION_KEY) ?? 0n
      // Behind the records: what they name by its id is known then, or is gone.
      await mirrors.catchUp()
      if ((this.#followed.revisionOf(REVISION_KEY) ?? 0n) !== before) continue
      const texts = textsOf(plan())
      if (texts.size === 0) return
      const saves = new Map([...texts].flatMap(([key, text]) => (text === undefined ? [] : [[key, text] as const])))
      const removals = [...texts.keys()].filter((key) => !saves.has(key))
      const { revision } = await write({ root, before, saves, removals })
      if (revision === undefined) continue
      await this.#followed.waitFor(revision)
      await tell(root, revision)
      return
    }
    throw new RpcError('RPC_OVERLOADED', `${root} changed ${MAX_ATTEMPTS} times meanwhile`, { outcome: 'not-applied' })
  }
}
