/** Databases and aliases. */
import { visibilitySettings } from '../clients/rules.ts'
import { Code, databaseNotFound, invalid, MilvusError, success } from '../server/status.ts'
import type { WireHandlers } from '../server/handlers.ts'
import { collectionOf, ddl, type DdlOptions } from './ddl-context.ts'
import { changingRule, databaseSettings, namesRule, shownOfDatabase } from './ddl-visibility.ts'
import { checkName, toPairs, toRecord } from './rpc-values.ts'

export function databaseHandlers(options: DdlOptions): WireHandlers {
  const { meta, catalog } = options
  const nameOf = (name: string, id: string): string => {
    if (name !== '' || id === '' || id === '0') return name
    const found = meta.databases().find((database) => String(database.id) === id)
    if (found === undefined) throw databaseNotFound(id)
    return found.name
  }
  return {
    CreateDatabase: ddl(async (request) => {
      try {
        checkName('database name', request.db_name)
      } catch (error) {
        throw new MilvusError(Code.DatabaseInvalidName, error instanceof Error ? error.message : 'invalid database name')
      }
      await catalog.createDatabase(request.db_name, visibilitySettings(toRecord(request.properties)))
      await options.databasesChanged?.()
      return success()
    }),
    DropDatabase: ddl(async (request) => {
      if (request.db_name === '') throw invalid('database name should not be empty')
      await catalog.dropDatabase(request.db_name)
      await options.databasesChanged?.()
      return success()
    }),
    ListDatabases: ddl(async (_, { principal }) => {
      const all = meta.databases().filter((database) => principal?.seesDatabase(database) ?? true)
      return {
        db_names: all.map(({ name }) => name),
        created_timestamp: all.map(({ createdTs }) => createdTs),
        db_ids: all.map(({ id }) => id),
      }
    }),
    DescribeDatabase: ddl(async (_, call) => {
      const database = meta.database(call.dbName)
      const { id, name, createdTs } = database
      return { db_name: name, dbID: id, created_timestamp: createdTs, properties: toPairs(shownOfDatabase(options, database, call.visibility)) }
    }),
    AlterDatabase: ddl(async (request, call) => {
      if (request.properties.length === 0 && request.delete_keys.length === 0)
        throw invalid('alter database requires either properties or deletekeys to modify or delete keys, both cannot be empty')
      const name = nameOf(request.db_name, request.db_id) || call.dbName
      const database = meta.database(name)
      const set = toRecord(request.properties)
      await changingRule(options, namesRule(set, request.delete_keys), meta.collections(database.name), async () => catalog.alterDatabase(name, databaseSettings(options, meta.database(name), set, request.delete_keys), request.delete_keys))
      return success()
    }),
  }
}

export function aliasHandlers(options: DdlOptions): WireHandlers {
  const { meta, catalog } = options
  return {
    CreateAlias: ddl(async (request, call) => {
      checkName('collection alias', request.alias)
      await catalog.createAlias(call.dbName, request.alias, request.collection_name)
      return success()
    }),
    AlterAlias: ddl(async (request, call) => {
      checkName('collection alias', request.alias)
      await catalog.alterAlias(call.dbName, request.alias, request.collection_name)
      return success()
    }),
    DropAlias: ddl(async (request, call) => {
      await catalog.dropAlias(call.dbName, request.alias)
      return success()
    }),
    DescribeAlias: ddl(async ({ alias }, call) => {
      meta.database(call.dbName)
      const collection = meta.findCollection(call.dbName, alias)
      if (collection === undefined || !meta.aliases(collection.id).some((known) => known.alias === alias)) {
        throw new MilvusError(Code.AliasNotFound, `alias not found[database=${call.dbName}][alias=${alias}]`)
      }
      return { db_name: call.dbName, alias, collection: collection.schema.name }
    }),
    ListAliases: ddl(async (request, call) => {
      meta.database(call.dbName)
      const name = request.collection_name
      const collections = name === '' ? meta.collections(call.dbName) : [collectionOf(options, call, name)]
      const aliases = collections.flatMap(({ id }) => meta.aliases(id).map(({ alias }) => alias))
      return { db_name: call.dbName, collection_name: name, aliases }
    }),
  }
}
