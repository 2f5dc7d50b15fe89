/** What part a call has in its client's order: none, unless rule `flush` holds for something that it names. */
import type { CallContext, RpcName } from '../server/handlers.ts'
import { type Visibility, VISIBILITY_PROPERTY } from '../staging/visibility.ts'
import type { OrderClass } from './order.ts'
import { type RuleReader, ruleOf } from './rules.ts'

const COMMITS: readonly RpcName[] = [
  'Flush', 'FlushAll', 'CreateCollection', 'DropCollection', 'TruncateCollection', 'RenameCollection', 'AlterCollection', 'AlterCollectionField', 'AddCollectionField',
  'AddCollectionStructField', 'AlterCollectionSchema', 'AddCollectionFunction', 'AlterCollectionFunction', 'DropCollectionFunction', 'CreatePartition', 'DropPartition',
  'CreateIndex', 'AlterIndex', 'DropIndex', 'LoadCollection', 'LoadPartitions', 'ReleaseCollection', 'ReleasePartitions', 'CreateAlias', 'AlterAlias', 'DropAlias',
  'AlterDatabase', 'Import', 'ManualCompaction',
]

/** Methods that can have a part. */
const CLASSES: ReadonlyMap<string, OrderClass> = new Map<string, OrderClass>([
  ...(['Insert', 'Upsert', 'Delete'] as const).map((name) => [name, 'stage'] as const),
  ...COMMITS.map((name) => [name, 'commit'] as const),
  ...(['Search', 'HybridSearch', 'Query', 'GetCollectionStatistics', 'GetPartitionStatistics'] as const).map((name) => [name, 'read'] as const),
])

export function canBeOrdered(rpc: string): boolean {
  return CLASSES.has(rpc)
}

interface Naming {
  readonly collection_name?: string
  readonly collectionName?: string
  readonly collection_names?: readonly string[]
  readonly oldName?: string
  readonly properties?: readonly { readonly key: string; readonly value: string }[]
}

/** @param isBusy whether earlier calls of the client are under way */
export function orderClassOf(reader: RuleReader, rpc: RpcName, request: object, call: Pick<CallContext, 'dbName' | 'visibility'>, isBusy: () => boolean): OrderClass | undefined {
  const kind = CLASSES.get(rpc)
  if (kind === undefined) return undefined
  return isStaged(reader, rpc, request, call.dbName, call.visibility, isBusy) ? kind : undefined
}

function isStaged(reader: RuleReader, rpc: RpcName, request: Naming, dbName: string, connection: Visibility | undefined, isBusy: () => boolean): boolean {
  if (rpc === 'CreateCollection') {
    if (!reader.meta.databases().some(({ name }) => name === dbName)) return false
    const properties = Object.fromEntries((request.properties ?? []).filter(({ key }) => key === VISIBILITY_PROPERTY).map(({ key, value }) => [key, value]))
    return ruleOf(reader, { dbName, properties }, connection) === 'flush'
  }
  const names = namesOf(request)
  // All collections that there are.
  if (names.length === 0) return connection === 'flush' || reader.serverDefault === 'flush' || reader.meta.collections().some((collection) => ruleOf(reader, collection, connection) === 'flush')
  return names.some((name) => {
    const collection = reader.meta.findCollection(dbName, name)
    // An earlier call of the same client may be about to make it.
    return collection === undefined ? reader.mayLag === true || isBusy() : ruleOf(reader, collection, connection) === 'flush'
  })
}

function namesOf({ collection_name: one = '', collectionName = '', collection_names: more = [], oldName = '' }: Naming): readonly string[] {
  const name = one || collectionName || oldName
  return name === '' ? more : [name]
}
