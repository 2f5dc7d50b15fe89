/** Functions of collections that are there: added, altered, dropped. */
import { functionsOf } from '../model/functions.ts'
import type { CollectionMeta } from '../model/meta.ts'
import { invalid } from '../server/status.ts'
import type { FunctionPlan } from './api.ts'
import type { CatalogContext } from './catalog-context.ts'

/** What is in memory was made for the fields as they are. */
export function checkReleased(state: CatalogContext['state'], { id, schema }: CollectionMeta): void {
  if (state.load(id) !== undefined) throw invalid(`release collection ${schema.name} first: its functions can not change while it is loaded`)
}

/** @param plan the functions after the change, of the schema as it is when no other change runs */
export async function changeFunctions(
  { state, nextTs, change }: CatalogContext,
  dbName: string,
  name: string,
  plan: FunctionPlan,
): Promise<void> {
  await change(async () => {
    const before = state.collection(dbName, name)
    const functions = plan(before.schema)
    if (functions === functionsOf(before.schema)) return []
    for (const index of state.indexes(before.id)) {
      const isFilled = functions.some(({ outputFieldId }) => outputFieldId === index.fieldId)
      if (index.metricType !== '' && isFilled !== (index.metricType === 'BM25') && (isFilled || functionsOf(before.schema).some(({ outputFieldId }) => outputFieldId === index.fieldId))) {
        throw invalid(`drop index ${index.name} first: its metric is ${index.metricType}`)
      }
    }
    checkReleased(state, before)
    const value = { ...before, schema: { ...before.schema, functions }, updateTs: await nextTs() }
    return [{ kind: 'collection', id: before.id, value }]
  })
}
