/**
 * Milvus's privileges: on which kind of object each is granted (the first form of grants, `OperatePrivilege`), and at which
 * level (the second form, `OperatePrivilegeV2`). Source: milvus-proto's ObjectPrivilege and Milvus's built-in groups.
 */
import { ANY, type GrantObject } from './rbac.ts'

/** What must be named: nothing, a database, a collection, or a user. */
export type PrivilegeLevel = 'cluster' | 'database' | 'collection' | 'user'

interface Privileges {
  readonly object: GrantObject
  readonly level: PrivilegeLevel
  readonly names: readonly string[]
}

const readCollection = ['Query', 'Search', 'IndexDetail', 'GetFlushState', 'GetLoadState', 'GetLoadingProgress', 'HasPartition', 'ShowPartitions', 'GetStatistics'] as const
const readCollectionGlobally = ['DescribeCollection', 'DescribeAlias', 'ListAliases'] as const
const writeCollection = [
  'Load', 'Release', 'Insert', 'Delete', 'Upsert', 'Import', 'Flush', 'Compaction', 'LoadBalance', 'CreateIndex', 'DropIndex', 'CreatePartition', 'DropPartition',
  'AddCollectionField', 'AlterCollectionSchema', 'RefreshExternalCollection',
] as const
const snapshots = ['CreateSnapshot', 'DropSnapshot', 'DescribeSnapshot', 'ListSnapshots', 'RestoreSnapshot'] as const
const rowRules = ['ManageRLS', 'ViewRLS'] as const
const adminCollection = ['CreateAlias', 'DropAlias'] as const
const readDatabase = ['ShowCollections', 'DescribeDatabase'] as const
const readCluster = ['ListDatabases', 'SelectOwnership', 'DescribeResourceGroup', 'ListResourceGroups', 'ListPrivilegeGroups'] as const
const writeCluster = ['FlushAll', 'TransferNode', 'TransferReplica', 'UpdateResourceGroups'] as const
const adminCluster = [
  'BackupRBAC', 'RestoreRBAC', 'CreateDatabase', 'DropDatabase', 'CreateOwnership', 'DropOwnership', 'ManageOwnership', 'CreateResourceGroup', 'DropResourceGroup',
  'RenameCollection', 'CreatePrivilegeGroup', 'DropPrivilegeGroup', 'OperatePrivilegeGroup', 'AddFileResource', 'RemoveFileResource', 'ListFileResources',
  'UpdateReplicateConfiguration', 'GetReplicateConfiguration', 'RestoreExternalSnapshot', 'ExportSnapshot', 'PinSnapshotData', 'UnpinSnapshotData',
] as const
const users = ['UpdateUser', 'SelectUser'] as const

const all: readonly Privileges[] = [
  { object: 'Collection', level: 'collection', names: [...readCollection, ...writeCollection, ...snapshots, ...rowRules] },
  { object: 'Global', level: 'collection', names: [...readCollectionGlobally, ...adminCollection] },
  { object: 'Global', level: 'database', names: [...readDatabase, 'AlterDatabase', 'CreateCollection', 'DropCollection'] },
  { object: 'Global', level: 'cluster', names: [...readCluster, ...writeCluster, ...adminCluster] },
  { object: 'User', level: 'user', names: users },
]

export interface PrivilegeInfo {
  readonly object: GrantObject
  readonly level: PrivilegeLevel
}

/** Every single privilege by name. */
export const privileges: ReadonlyMap<string, PrivilegeInfo> = new Map(
  all.flatMap(({ object, level, names }) => names.map((name): [string, PrivilegeInfo] => [name, { object, level }])),
)

const collectionReadOnly = [...readCollection, ...readCollectionGlobally]
const collectionReadWrite = [...collectionReadOnly, ...writeCollection]
const collectionAdmin = [...collectionReadWrite, ...snapshots, ...rowRules, ...adminCollection]
const databaseReadWrite = [...readDatabase, 'AlterDatabase']
const clusterReadOnly = [...readCluster, 'SelectUser']
const clusterReadWrite = [...clusterReadOnly, ...writeCluster]

export interface BuiltinGroup {
  readonly level: PrivilegeLevel
  readonly privileges: ReadonlySet<string>
}

const group = (level: PrivilegeLevel, names: readonly string[]): BuiltinGroup => ({ level, privileges: new Set(names) })

/** Groups that are always there. They can be granted like a privilege, at their level, and never changed. */
export const builtinGroups: ReadonlyMap<string, BuiltinGroup> = new Map([
  ['ClusterReadOnly', group('cluster', clusterReadOnly)],
  ['ClusterReadWrite', group('cluster', clusterReadWrite)],
  ['ClusterAdmin', group('cluster', [...clusterReadWrite, ...adminCluster, 'UpdateUser'])],
  ['DatabaseReadOnly', group('database', readDatabase)],
  ['DatabaseReadWrite', group('database', databaseReadWrite)],
  ['DatabaseAdmin', group('database', [...databaseReadWrite, 'CreateCollection', 'DropCollection'])],
  ['CollectionReadOnly', group('collection', collectionReadOnly)],
  ['CollectionReadWrite', group('collection', collectionReadWrite)],
  ['CollectionAdmin', group('collection', collectionAdmin)],
])

/** What everyone may do in every database unless `common.security.enablePublicPrivilege` is off (Milvus). */
export const publicPrivileges: readonly string[] = ['DescribeCollection', 'ListAliases', 'IndexDetail']

/** A privilege as clients write it: `All` and `PrivilegeSearch` are accepted for `*` and `Search` (Milvus's own spellings). */
export function privilegeName(text: string): string {
  const name = text.startsWith('Privilege') ? text.slice('Privilege'.length) : text
  return name === 'All' ? ANY : name
}
