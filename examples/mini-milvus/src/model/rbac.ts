/** Users, roles, grants and groups as the coordinator keeps them. */
import type { PasswordHash } from './password-hash.ts'

export interface UserMeta {
  readonly name: string
  readonly password: PasswordHash
  readonly description: string
  /** Names of its roles, in the order they were given. */
  readonly roles: readonly string[]
}

/** What a grant is on: Milvus's three kinds of objects. */
export type GrantObject = 'Global' | 'Collection' | 'User'

/**
 * A right of a role. Names are as granted; ids are what they meant then, as soon as there was something of that name: a
 * grant never passes to another collection or database that comes to the name later.
 */
export interface GrantMeta {
  readonly object: GrantObject
  /** A collection's or user's name, or `*`. */
  readonly objectName: string
  /** A database's name, or `*`. */
  readonly dbName: string
  /** A privilege, a group of privileges, or `*`. */
  readonly privilege: string
  /** Who granted it. */
  readonly grantor: string
  readonly dbId?: bigint | undefined
  readonly collectionId?: bigint | undefined
}

export interface RoleMeta {
  readonly name: string
  readonly description: string
  readonly grants: readonly GrantMeta[]
}

export interface PrivilegeGroupMeta {
  readonly name: string
  readonly privileges: readonly string[]
}

export const ROOT_USER = 'root'
export const DEFAULT_ROOT_PASSWORD = 'Milvus'
export const ADMIN_ROLE = 'admin'
/** Everyone who is signed in has it. */
export const PUBLIC_ROLE = 'public'
export const ANY = '*'
