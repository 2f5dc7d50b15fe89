/** Users, roles, grants and privilege groups: stored, and what each of them may do. */
import type { KVBase } from '@timetick/kv'
import { privileges, publicPrivileges } from '../model/privileges.ts'
import { ADMIN_ROLE, ANY, type GrantMeta, type PrivilegeGroupMeta, PUBLIC_ROLE, type RoleMeta, ROOT_USER, type UserMeta } from '../model/rbac.ts'
import type { MetaReader } from './api.ts'
import { type Dropped, settleGrants } from './rbac-grants.ts'
import { openRecordStore, type OpenRecords, type RecordChange, type RecordStore } from './record-store.ts'

export interface RbacKinds {
  readonly user: UserMeta
  readonly role: RoleMeta
  readonly group: PrivilegeGroupMeta
}

export type RbacChange = RecordChange<RbacKinds>

export interface RbacOptions {
  readonly kv: Pick<KVBase, 'loadWithPrefix' | 'multiLoad' | 'multiSaveAndRemove'>
  readonly meta: MetaReader
  /** Hash of root's first password; undefined while nobody needs one: it is hashed by the first start that does. */
  readonly rootPassword: (() => Promise<string>) | undefined
  /** Everyone may describe (Milvus's default). */
  readonly publicPrivilege: boolean
  /** Grants could not be brought up to date; they are by the next change. */
  readonly onError: (error: unknown) => void
  readonly rootPath?: string | undefined
  /** Where others change them too. @default of this process alone */
  readonly openRecords?: OpenRecords | undefined
}

export interface Rbac extends Pick<RecordStore<RbacKinds>, 'get' | 'all' | 'change'> {
  /** Grants follow what became of databases and collections: of dropped ones they are gone when this resolves. */
  settle(): Promise<void>
  /** Counts changes: what was computed from an older state is stale. */
  readonly version: number
  close(): Promise<void>
}

/** Reads what is stored; an empty store gets the user `root` and the roles `admin` and `public`. */
export async function openRbac(options: RbacOptions): Promise<Rbac> {
  const open: OpenRecords = options.openRecords ?? ((what) => openRecordStore({ kv: options.kv, ...what }))
  const store = await open<RbacKinds>({ rootPath: options.rootPath ?? 'rbac/', kinds: ['user', 'role', 'group'] })
  try {
    const password = wantsPassword(options, store) ? ((await options.rootPassword?.()) ?? '') : ''
    await store.change(() => defaultsOf(options, store, password))
  } catch (error) {
    await store.close()
    throw error
  }
  const rbac = new StoredRbac(options, store)
  await rbac.settle()
  return rbac
}

function wantsPassword({ rootPassword }: RbacOptions, store: RecordStore<RbacKinds>): boolean {
  const root = store.get('user', ROOT_USER)
  return root === undefined || (root.password === '' && rootPassword !== undefined)
}

function defaultsOf(options: RbacOptions, store: RecordStore<RbacKinds>, password: string): RbacChange[] {
  const defaults: RbacChange[] = []
  if (wantsPassword(options, store)) defaults.push({ kind: 'user', name: ROOT_USER, value: { name: ROOT_USER, password, description: '', roles: [ADMIN_ROLE] } })
  for (const name of [ADMIN_ROLE, PUBLIC_ROLE]) {
    if (store.get('role', name) !== undefined) continue
    const grants = name === PUBLIC_ROLE && options.publicPrivilege ? publicGrants() : []
    defaults.push({ kind: 'role', name, value: { name, description: '', grants } })
  }
  return defaults
}

function publicGrants(): GrantMeta[] {
  return publicPrivileges.map((privilege) => ({
    object: privileges.get(privilege)?.object ?? 'Global',
    objectName: ANY,
    dbName: ANY,
    privilege,
    grantor: ROOT_USER,
  }))
}

class StoredRbac implements Rbac {
  readonly #options: RbacOptions
  readonly #store: RecordStore<RbacKinds>
  readonly #unsubscribe: () => void
  #dropped: Dropped[] = []

  constructor(options: RbacOptions, store: RecordStore<RbacKinds>) {
    this.#options = options
    this.#store = store
    this.#unsubscribe = options.meta.onChange((change) => {
      if (change.kind !== 'collection') return
      const { before, after } = change
      if (before !== undefined && after === undefined) this.#dropped.push({ id: change.id, dbName: before.dbName, name: before.schema.name })
      const isSame = before?.dbName === after?.dbName && before?.schema.name === after?.schema.name
      if (!isSame) this.settle().catch(options.onError)
    })
  }

  get version(): number {
    return this.#store.version
  }

  get: Rbac['get'] = (kind, name) => this.#store.get(kind, name)
  all: Rbac['all'] = (kind) => this.#store.all(kind)

  change: Rbac['change'] = (plan) => this.#store.change(plan)

  async settle(): Promise<void> {
    await this.change(() => {
      const dropped = this.#dropped
      const changes = this.#store.all('role').flatMap((role): RbacChange[] => {
        const grants = settleGrants(role.grants, this.#options.meta, dropped)
        return grants === role.grants ? [] : [{ kind: 'role', name: role.name, value: { ...role, grants } }]
      })
      // What could not be written is found again by its ids when the store is opened.
      this.#dropped = this.#dropped.filter((one) => !dropped.includes(one))
      return changes
    })
  }

  async close(): Promise<void> {
    this.#unsubscribe()
    await this.#store.close()
  }
}
