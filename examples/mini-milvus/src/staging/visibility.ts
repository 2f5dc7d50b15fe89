/** Which rule says when written rows are seen: Milvus's (at their time tick), or at their client's flush. */
import type { CollectionMeta, DatabaseMeta } from '../model/meta.ts'

export type Visibility = 'milvus' | 'flush'

/** The property of databases and collections that chooses. */
export const VISIBILITY_PROPERTY = 'timetick.visibility'

export function isVisibility(value: string | undefined): value is Visibility {
  return value === 'milvus' || value === 'flush'
}

type WithProperties = Pick<CollectionMeta | DatabaseMeta, 'properties'>

/** The collection's property wins over its database's, that over the connection's option, that over the server's default. */
export function visibilityOf(collection: WithProperties, database: WithProperties | undefined, connection: Visibility | undefined, server: Visibility): Visibility {
  for (const scope of [collection, database]) {
    const value = scope?.properties[VISIBILITY_PROPERTY]?.trim().toLowerCase()
    if (isVisibility(value)) return value
  }
  return connection ?? server
}
