/** What a request is about, read from its fields the way its handler reads them. */
import type { MetaReader } from '../coordinator/api.ts'
import type { Target } from '../coordinator/permissions.ts'
import type { CollectionMeta } from '../model/meta.ts'

/** Every field of any request that names something; hot messages have camelCase names. */
export interface Named {
  readonly db_name?: string
  readonly db_id?: string
  readonly collection_name?: string | readonly string[]
  readonly collectionName?: string
  readonly collection_names?: readonly string[]
  readonly collectionID?: bigint | readonly bigint[]
  readonly alias?: string
  readonly newDBName?: string
  readonly username?: string
  readonly user_name?: string
  readonly user?: { readonly name: string } | null
  readonly segmentIDs?: readonly bigint[]
  readonly flush_targets?: readonly { readonly db_name: string }[]
  readonly requests?: readonly Named[]
  readonly op_left?: { readonly id_array?: Named | undefined } | null
  readonly op_right?: { readonly id_array?: Named | undefined } | null
}

type Targets = readonly Target[]

export function ofDatabase(_: Named, dbName: string, meta: MetaReader): Targets {
  return [databaseTarget(dbName, meta)]
}

/** AlterDatabase names its database by id, too. */
export function ofDatabaseId({ db_name: name = '', db_id: id = '' }: Named, dbName: string, meta: MetaReader): Targets {
  const byId = name === '' && id !== '' && id !== '0' ? meta.databases().find((database) => String(database.id) === id) : undefined
  return [databaseTarget(byId?.name ?? dbName, meta)]
}

/** Both databases of a move. */
export function renamed({ newDBName = '' }: Named, dbName: string, meta: MetaReader): Targets {
  return [...new Set([dbName, newDBName === '' ? dbName : newDBName])].map((name) => databaseTarget(name, meta))
}

/** All collections that a request names or has the ids of; none: whatever is in the database. */
export function ofCollections(request: Named, dbName: string, meta: MetaReader): Targets {
  const { collection_name: one = [], collectionName = '', collection_names: more = [], collectionID = [] } = request
  const names = [...(typeof one === 'string' ? [one] : one), collectionName, ...more].filter((name) => name !== '')
  const ids = (typeof collectionID === 'bigint' ? [collectionID] : collectionID).filter((id) => id !== 0n)
  const targets = [...names.map((name) => collectionTarget(name, dbName, meta)), ...ids.map((id) => idTarget(id, dbName, meta))]
  return targets.length > 0 ? targets : [collectionTarget('', dbName, meta)]
}

/** The collection that is named, which no id can stand for. */
export function named({ collection_name: name = '' }: Named, dbName: string, meta: MetaReader): Targets {
  return [collectionTarget(typeof name === 'string' ? name : '', dbName, meta)]
}

/** The collection behind the alias. */
export function aliased({ alias = '' }: Named, dbName: string, meta: MetaReader): Targets {
  return [collectionTarget(alias, dbName, meta)]
}

/** An alias is taken from one collection and given to another. */
export function aliasMoved(request: Named, dbName: string, meta: MetaReader): Targets {
  return [...named(request, dbName, meta), ...aliased(request, dbName, meta)]
}

/** Requests within a request, too. */
export function searched(request: Named, dbName: string, meta: MetaReader): Targets {
  const { requests = [], op_left: left, op_right: right } = request
  const inner = [...requests, left?.id_array ?? undefined, right?.id_array ?? undefined].filter((one) => one !== undefined)
  const within = inner
    .filter(({ collection_name: name = '' }) => name !== '')
    .flatMap((one) => ofCollections(one, one.db_name === undefined || one.db_name === '' ? dbName : one.db_name, meta))
  const isNamed = request.collection_name !== undefined && request.collection_name !== ''
  return isNamed || within.length === 0 ? [...ofCollections(request, dbName, meta), ...within] : within
}

/** Without a collection only text is analyzed. */
export function analyzed(request: Named, dbName: string, meta: MetaReader): Targets {
  return request.collection_name === undefined || request.collection_name === '' ? [] : named(request, dbName, meta)
}

/** FlushAll is of everything unless it says of what. */
export function flushTargets({ db_name: name = '', flush_targets: targets = [] }: Named, _: string, meta: MetaReader): Targets {
  if (targets.length > 0) return targets.map(({ db_name }) => databaseTarget(db_name, meta))
  return name === '' ? [{ level: 'cluster' }] : [databaseTarget(name, meta)]
}

/** By the collection, and by the collections of the segments. */
export function flushState(request: Named, dbName: string, meta: MetaReader): Targets {
  const ofSegments = (request.segmentIDs ?? []).flatMap((id) => {
    const segment = meta.segment(id)
    return segment === undefined ? [] : [idTarget(segment.collectionId, dbName, meta)]
  })
  const isNamed = request.collection_name !== undefined && request.collection_name !== ''
  return isNamed || ofSegments.length === 0 ? [...ofCollections(request, dbName, meta), ...ofSegments] : ofSegments
}

export function ofUser({ username, user_name, user }: Named): Targets {
  return [{ level: 'user', name: username ?? user_name ?? user?.name ?? '' }]
}

function databaseTarget(dbName: string, meta: MetaReader): Target {
  return { level: 'database', dbName, dbId: databaseId(dbName, meta) }
}

/** Aliases are resolved here, before anything is compared. */
function collectionTarget(name: string, dbName: string, meta: MetaReader): Target {
  const found = name === '' ? undefined : meta.findCollection(dbName, name)
  return found === undefined ? { level: 'collection', dbName, dbId: databaseId(dbName, meta), name, collectionId: undefined } : foundTarget(found, meta)
}

function idTarget(id: bigint, dbName: string, meta: MetaReader): Target {
  const found = meta.collectionById(id)
  return found === undefined ? collectionTarget('', dbName, meta) : foundTarget(found, meta)
}

function foundTarget({ id, dbName, schema: { name } }: CollectionMeta, meta: MetaReader): Target {
  return { level: 'collection', dbName, dbId: databaseId(dbName, meta), name, collectionId: id }
}

function databaseId(name: string, meta: MetaReader): bigint | undefined {
  return meta.databases().find((database) => database.name === name)?.id
}
