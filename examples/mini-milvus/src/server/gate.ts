/** The one gate: every call of every entry passes it before it has any effect. */
import type { MetaReader } from '../coordinator/api.ts'
import type { Permissions, Target } from '../coordinator/permissions.ts'
import type { CollectionMeta, DatabaseMeta } from '../model/meta.ts'
import { PermissionError } from './auth-errors.ts'
import type { Authenticator } from './authenticator.ts'
import type { CallContext, Gate, Principal, RpcName, Standing } from './handlers.ts'
import { rpcRules } from './rpc-rules.ts'

export interface GateOptions {
  readonly authenticator: Authenticator
  readonly permissions: Permissions
  readonly meta: MetaReader
}

/** For a node with `common.security.authorizationEnabled`. */
export function createGate({ authenticator, permissions, meta }: GateOptions): Gate {
  const principal = (name: string): Principal => new User(name, permissions, meta)
  return {
    identify(rpc, info) {
      if (rpcRules[rpc] === 'anyone') return undefined
      const user = authenticator.userOf(info.metadata.get('authorization'), info.peer)
      return typeof user === 'string' ? principal(user) : user.then(principal)
    },
    authorize(rpc, call, request) {
      // Read as if it could be missing: a method that the table does not know is refused.
      const rule = (rpcRules as Readonly<Partial<typeof rpcRules>>)[rpc]
      if (rule === 'anyone') return
      const user = call.principal?.name
      if (rule === undefined || user === undefined) throw denied(rpc, user, call)
      if (rule === 'signed-in' || isOwn(rpc, request, user, permissions)) return
      const { privilege, targets } = rule
      for (const target of targets(request, call.dbName, meta))
        if (!permissions.permits(user, privilege, target)) throw denied(privilege, user, call, target)
    },
  }
}

/** Milvus's wording. */
function denied(privilege: string, user: string | undefined, call: CallContext, target?: Target): PermissionError {
  const dbName = target !== undefined && 'dbName' in target ? target.dbName : call.dbName
  return new PermissionError(`Privilege${privilege}: permission deny to ${user ?? 'nobody'} in the \`${dbName}\` database`)
}

/** Everyone may see and change their own user, and see the grants of their own roles (Milvus). */
function isOwn(rpc: RpcName, request: object, user: string, permissions: Permissions): boolean {
  switch (rpc) {
    case 'UpdateCredential':
      return (request as { username?: string }).username === user
    case 'SelectUser':
      return (request as { user?: { name?: string } | null }).user?.name === user
    case 'SelectGrant': {
      const { entity } = request as { entity?: { role?: { name?: string } | null } | null }
      return permissions.rolesOf(user).includes(entity?.role?.name ?? '')
    }
    default:
      return false
  }
}

class User implements Principal {
  readonly name: string
  readonly #permissions: Permissions
  readonly #meta: MetaReader

  constructor(name: string, permissions: Permissions, meta: MetaReader) {
    this.name = name
    this.#permissions = permissions
    this.#meta = meta
  }

  get isAdmin(): boolean {
    return this.#permissions.isAdmin(this.name)
  }

  sees(collection: CollectionMeta): boolean {
    return this.#permissions.seesCollection(this.name, collection, this.#meta.database(collection.dbName).id)
  }

  seesDatabase(database: DatabaseMeta): boolean {
    return this.#permissions.seesDatabase(this.name, database)
  }

  standing(): Standing | undefined {
    return this.#permissions.standingOf(this.name)
  }
}
