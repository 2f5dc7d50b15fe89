/** The rule of visibility as a property of databases and collections: checked, refused where it would change under staged work, and shown. */
import { refuseWhileStaged, ruleOf, settingOf, shownProperties, visibilitySettings } from '../clients/rules.ts'
import type { CollectionMeta, DatabaseMeta } from '../model/meta.ts'
import { VISIBILITY_PROPERTY, type Visibility, visibilityOf } from '../staging/visibility.ts'
import type { DdlOptions } from './ddl-context.ts'

type Properties = Readonly<Record<string, string>>

/** What is to be set on a database. Throws 1100. */
export function databaseSettings({ meta, hasStagedWork }: DdlOptions, database: DatabaseMeta, given: Properties, removed: readonly string[]): Properties {
  const set = visibilitySettings(given)
  if (changes(database.properties, set, removed)) {
    const following = meta.collections(database.name).filter(({ properties }) => settingOf(properties) === undefined)
    refuseWhileStaged(following, hasStagedWork)
  }
  return set
}

/** What is to be set on a collection. Throws 1100. */
export function collectionSettings({ hasStagedWork }: DdlOptions, collection: CollectionMeta, given: Properties, removed: readonly string[]): Properties {
  const set = visibilitySettings(given)
  if (changes(collection.properties, set, removed)) refuseWhileStaged([collection], hasStagedWork)
  return set
}

/** A collection that goes to another database has its rule from there. Throws 1100. */
export function refuseOtherRule({ meta, hasStagedWork }: DdlOptions, collection: CollectionMeta, dbName: string): void {
  if (dbName === collection.dbName || settingOf(collection.properties) !== undefined) return
  if (settingOf(meta.database(dbName).properties) !== settingOf(meta.database(collection.dbName).properties)) refuseWhileStaged([collection], hasStagedWork)
}

/** Nobody stages anything on the collections between the check and the change. @param mayChange their rule, as far as the request goes */
export function changingRule<T>({ whileStill }: DdlOptions, mayChange: boolean, collections: readonly CollectionMeta[], change: () => Promise<T>): Promise<T> {
  return whileStill === undefined || !mayChange ? change() : whileStill(collections.map(({ id }) => id), change)
}

export function namesRule(given: Properties, removed: readonly string[]): boolean {
  return Object.hasOwn(given, VISIBILITY_PROPERTY) || removed.includes(VISIBILITY_PROPERTY)
}

function changes(before: Properties, set: Properties, removed: readonly string[]): boolean {
  const kept = removed.includes(VISIBILITY_PROPERTY) ? undefined : settingOf(before)
  return settingOf(before) !== (settingOf(set) ?? kept)
}

/** For a caller whose connection may have chosen. */
export function shownOfCollection({ meta, serverVisibility = 'milvus' }: DdlOptions, collection: CollectionMeta, connection: Visibility | undefined): Properties {
  return shownProperties(collection.properties, ruleOf({ meta, serverDefault: serverVisibility }, collection, connection))
}

export function shownOfDatabase({ serverVisibility = 'milvus' }: DdlOptions, { properties }: DatabaseMeta, connection: Visibility | undefined): Properties {
  return shownProperties(properties, visibilityOf({ properties }, undefined, connection, serverVisibility))
}
