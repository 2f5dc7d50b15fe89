/** Databases and aliases. */
import { type CollectionMeta, DEFAULT_DATABASE } from '../model/meta.ts'
import { Code, collectionNotFound, invalid, MilvusError } from '../server/status.ts'
import { alterRecord, type CatalogContext, refused } from './catalog-context.ts'

export async function createDatabase(
  { state, limits, nextId, nextTs, change }: CatalogContext,
  name: string,
  properties: Readonly<Record<string, string>>,
): Promise<void> {
  await change(async () => {
    if (state.findDatabase(name) !== undefined) throw refused(`database already exist: ${name}`)
    if (state.databases().length >= limits.maxDatabases) {
      throw new MilvusError(Code.DatabaseLimit, `exceeded the limit number of database[limit=${limits.maxDatabases}]`)
    }
    const [id, createdTs] = await Promise.all([nextId(), nextTs()])
    return [{ kind: 'database', name, value: { id, name, createdTs, properties: { ...properties } } }]
  })
}

/** A missing database is no failure (Milvus); one that holds collections is. */
export async function dropDatabase({ state, change }: CatalogContext, name: string): Promise<void> {
  await change(() => {
    if (name === DEFAULT_DATABASE) throw refused('can not drop default database')
    if (state.findDatabase(name) === undefined) return []
    if (state.collections(name).length > 0) throw refused(`database:${name} not empty, must drop all collections before drop database`)
    return [{ kind: 'database', name, value: undefined }]
  })
}

export async function alterDatabase(
  { state, change }: CatalogContext,
  name: string,
  set: Readonly<Record<string, string>>,
  remove: readonly string[],
): Promise<void> {
  await change(() => {
    const before = state.database(name)
    return [{ kind: 'database', name, value: { ...before, properties: alterRecord(before.properties, set, remove) } }]
  })
}

/** Aliases point at collections by their real names only. */
function aliasTarget({ state }: CatalogContext, dbName: string, collection: string): CollectionMeta {
  state.database(dbName)
  const target = state.findByName(dbName, collection)
  if (target === undefined) throw collectionNotFound(dbName, collection)
  return target
}

export async function createAlias(context: CatalogContext, dbName: string, alias: string, collection: string): Promise<void> {
  const { state, change } = context
  await change(() => {
    const target = aliasTarget(context, dbName, collection)
    if (state.findByName(dbName, alias) !== undefined) {
      throw new MilvusError(Code.AliasCollision, `alias and collection name conflict[database=${dbName}][alias=${alias}]`)
    }
    const before = state.findAlias(dbName, alias)
    if (before?.collectionId === target.id) return []
    if (before !== undefined) {
      const owner = state.collectionById(before.collectionId)?.schema.name
      throw new MilvusError(
        1602,
        `${alias} is alias to another collection: ${owner}: alias already exist[database=${dbName}][alias=${alias}]`,
      )
    }
    return [{ kind: 'alias', dbName, alias, value: { alias, dbName, collectionId: target.id } }]
  })
}

export async function alterAlias(context: CatalogContext, dbName: string, alias: string, collection: string): Promise<void> {
  const { state, change } = context
  await change(() => {
    const target = aliasTarget(context, dbName, collection)
    if (state.findByName(dbName, alias) !== undefined) {
      throw new MilvusError(Code.AliasCollision, `alias and collection name conflict[database=${dbName}][alias=${alias}]`)
    }
    const before = state.findAlias(dbName, alias)
    if (before === undefined) throw new MilvusError(Code.AliasNotFound, `alias not found[database=${dbName}][alias=${alias}]`)
    return before.collectionId === target.id ? [] : [{ kind: 'alias', dbName, alias, value: { ...before, collectionId: target.id } }]
  })
}

/** A missing alias is no failure; a collection's real name is. */
export async function dropAlias({ state, change }: CatalogContext, dbName: string, alias: string): Promise<void> {
  await change(() => {
    state.database(dbName)
    if (state.findByName(dbName, alias) !== undefined) throw invalid(`cannot drop the collection ${alias} as an alias`)
    return state.findAlias(dbName, alias) === undefined ? [] : [{ kind: 'alias', dbName, alias, value: undefined }]
  })
}
