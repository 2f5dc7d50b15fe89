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

/** Collections and databases that are remembered as seen: who saw one is told when it goes. */
const MAX_SEEN = 10_000

function principalOf(user: User, meta: MetaReader): Principal {
  const credential = user.standing()?.credential
  const seen = new Set<string>()
  let version: number | undefined
  let rights = ''
  const follow = (): void => {
    const now = user.standing()
    if (now?.version === version) return
    version = now?.version
    const before = rights
    rights = now?.rights() ?? ''
    if (rights !== before) seen.clear()
  }
  /** What is gone says no more who may see it: those may who did, as long as their rights are the same. */
  const remember = (place: string, isSeen: boolean | undefined): boolean => {
    follow()
    if (isSeen !== true) return isSeen ?? seen.has(place)
    const [oldest] = seen
    if (seen.size >= MAX_SEEN && oldest !== undefined && !seen.has(place)) seen.delete(oldest)
    seen.add(place)
    return true
  }
  return {
    name: user.name,
    get mayAct() {
      return user.isAdmin
    },
    rights() {
      follow()
      return rights
    },
    isWelcome: () => credential !== undefined && user.standing()?.credential === credential,
    sees(kind, key) {
      if (user.isAdmin) return true
      if (PRIVATE.includes(kind)) return false
      if (kind === 'database') {
        const database = meta.databases().find(({ name }) => name === key)
        return remember(key, database === undefined ? undefined : user.seesDatabase(database))
      }
      const [db = '', id] = key.split('/')
      if (id === undefined) return true
      const collection = /^\d+$/.test(id) ? meta.collectionById(BigInt(id)) : undefined
      return remember(`${db}/${id}`, collection === undefined ? undefined : user.sees(collection))
    },
  }
}
