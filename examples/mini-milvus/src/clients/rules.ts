/** Which rule of visibility holds, by name of collection; and how it is chosen, shown and changed through properties. */
import type { MetaReader } from '../coordinator/api.ts'
import type { CollectionMeta } from '../model/meta.ts'
import { invalid, MilvusError } from '../server/status.ts'
import { isVisibility, type Visibility, VISIBILITY_PROPERTY, visibilityOf } from '../staging/visibility.ts'

/** Shown only: the rule that holds, whoever chose it. */
export const EFFECTIVE_PROPERTY = 'timetick.visibility.effective'
/** Of the SDKs' `option` map. */
export const VISIBILITY_OPTION = 'visibility'

type Properties = Readonly<Record<string, string>>

/** Throws 1100 for another value. What is only shown is no setting: a client that writes back what it read changes nothing. */
export function visibilitySettings(given: Properties): Properties {
  const value = given[VISIBILITY_PROPERTY]
  if (value !== undefined && settingOf(given) === undefined) throw invalid(`${VISIBILITY_PROPERTY} must be milvus or flush, got ${JSON.stringify(value.slice(0, 100))}`)
  if (!Object.hasOwn(given, EFFECTIVE_PROPERTY)) return given
  return Object.fromEntries(Object.entries(given).filter(([key]) => key !== EFFECTIVE_PROPERTY))
}

/** The rule that is set there. */
export function settingOf(properties: Properties): Visibility | undefined {
  return visibilityIn(properties[VISIBILITY_PROPERTY])
}

function visibilityIn(text: string | undefined): Visibility | undefined {
  const value = text?.trim().toLowerCase()
  return isVisibility(value) ? value : undefined
}

/** What the connection's `option` map asks for. Throws 1100 for another value. */
export function visibilityOption(option: Properties): Visibility | undefined {
  const value = option[VISIBILITY_OPTION]
  if (value === undefined || value === '') return undefined
  const rule = visibilityIn(value)
  if (rule === undefined) throw invalid(`the option ${VISIBILITY_OPTION} must be milvus or flush, got ${JSON.stringify(value.slice(0, 100))}`)
  return rule
}

export interface RuleReader {
  readonly meta: Pick<MetaReader, 'databases' | 'database' | 'findCollection' | 'collections'>
  readonly serverDefault: Visibility
  /** Others make collections, too: one that is not known here may be there. */
  readonly mayLag?: boolean | undefined
}

/** Throws 800 when its database does not exist. */
export function ruleOf({ meta, serverDefault }: RuleReader, collection: Pick<CollectionMeta, 'dbName' | 'properties'>, connection: Visibility | undefined): Visibility {
  return visibilityOf(collection, meta.database(collection.dbName), connection, serverDefault)
}

/** What DescribeCollection and DescribeDatabase say beyond the properties that are set: nothing where today's rule holds by itself. */
export function shownProperties(properties: Properties, effective: Visibility): Properties {
  const isPlain = effective === 'milvus' && properties[VISIBILITY_PROPERTY] === undefined
  return isPlain ? properties : { ...properties, [EFFECTIVE_PROPERTY]: effective }
}

/** Refuses a change of the rule while there is staged work: it was given under the old one. */
export function refuseWhileStaged(collections: readonly CollectionMeta[], hasWork: ((collectionId: bigint) => boolean) | undefined): void {
  const busy = collections.find(({ id }) => hasWork?.(id))
  if (busy === undefined) return
  throw new MilvusError(1100, `${VISIBILITY_PROPERTY} of collection ${busy.schema.name} cannot be changed: a client has staged work on it that is not flushed: flush it or disconnect first`)
}
