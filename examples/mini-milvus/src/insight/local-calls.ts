/** What the page asks of the node: the same handlers that gRPC and REST call. */
import type { ActionName, Json, VectorQuery } from 'timetick-insight/embed'
import { Body } from '../rest/body.ts'
import { stringifyJson } from '../rest/json.ts'
import type { Session } from '../rest/route.ts'
import { search } from '../rest/routes-search.ts'
import { createSession } from '../rest/session.ts'
import { allowAll, type HandlerTable } from '../server/handlers.ts'

export interface LocalCalls {
  act(action: ActionName, target: { readonly db: string; readonly collection: string }): Promise<void>
  search(query: VectorQuery): Promise<{ readonly rows: readonly { readonly [field: string]: Json }[] }>
}

export function createLocalCalls(handlers: HandlerTable): LocalCalls {
  const session: Session = createSession(
    { handlers, authorize: allowAll },
    { metadata: new Map(), identifier: undefined, peer: 'insight', signal: new AbortController().signal, deadline: undefined },
    { headers: {} },
    false,
  )
  return {
    async act(action, { db: db_name, collection: collection_name }) {
      const one = { db_name, collection_name }
      if (action === 'load') await session.call('LoadCollection', { ...one, replica_number: 1 })
      else if (action === 'release') await session.call('ReleaseCollection', one)
      else if (action === 'drop') await session.call('DropCollection', one)
      else await session.call('Flush', { db_name, collection_names: [collection_name] })
    },
    async search({ db, collection, field = '', vector, filter = '', limit = 10 }) {
      const sought = typeof vector === 'string' ? { ids: [vector] } : { data: [vector] }
      const { data = [] } = await search(new Body({ dbName: db, collectionName: collection, annsField: field, filter, limit, outputFields: ['*'], ...sought }), session)
      const rows = JSON.parse(stringifyJson(data)) as readonly { readonly [name: string]: Json }[]
      return { rows: rows.map(withoutVectors) }
    },
  }
}

/** A page shows rows to people: long lists of numbers say nothing to them. */
function withoutVectors(row: { readonly [name: string]: Json }): { readonly [name: string]: Json } {
  return Object.fromEntries(Object.entries(row).filter(([, value]) => !(Array.isArray(value) && value.length > 3 && value.every((item) => typeof item === 'number'))))
}
