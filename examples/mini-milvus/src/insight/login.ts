/** Users of the node on its page: they see there what they may see by any other way. */
import type { Kind, Principal } from 'timetick-insight/embed'
import type { MetaReader } from '../coordinator/api.ts'
import type { Gate, Principal as User } from '../server/handlers.ts'
import { asMilvusError } from '../server/status.ts'

/** What only administrators are shown: who else is there, and how the node is set. */
const PRIVATE: readonly Kind[] = ['client', 'slowRequest', 'param']

export function createLogin(gate: Gate, meta: MetaReader): (user: string, password: string) => Promise<Principal | undefined> {
  return async (name, password) => {
    try {
      const authorization = Buffer.from(`${name}:${password}`).toString('base64')
      const user = await gate.identify('ShowCollections', { metadata: new Map([['authorization', authorization]]), peer: 'insight' })
      return user === undefined ? undefined : principalOf(user, meta)
    } catch (error) {
      if (asMilvusError(error) !== undefined) return undefined
      throw error
    }
  }
}

function principalOf(user: User, meta: MetaReader): Principal {
  return {
    name: user.name,
    mayAct: user.isAdmin,
    sees(kind, key) {
      if (user.isAdmin) return true
      if (PRIVATE.includes(kind)) return false
      if (kind === 'database') return meta.databases().some((database) => database.name === key && user.seesDatabase(database))
      const [, id] = key.split('/')
      if (id === undefined) return true
      const collection = /^\d+$/.test(id) ? meta.collectionById(BigInt(id)) : undefined
      return collection !== undefined && user.sees(collection)
    },
  }
}
