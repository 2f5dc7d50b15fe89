/** The RPCs that SDK suites need: tier A, what tier B adds, and what is served beside them. */
const quickStart = [
  'Connect', 'CreateCollection', 'DescribeCollection', 'DropCollection', 'ShowCollections', 'CreateIndex', 'DescribeIndex', 'LoadCollection', 'GetLoadingProgress',
  'GetLoadState', 'Insert', 'Upsert', 'Delete', 'Query', 'Search', 'Flush', 'GetFlushState', 'AllocTimestamp', 'GetCollectionStatistics', 'GetVersion', 'CheckHealth',
  'ClientHeartbeat', 'CreateDatabase', 'DropDatabase',
]
const collections = ['ReleaseCollection', 'RenameCollection', 'AlterCollection', 'AlterCollectionField', 'AddCollectionField', 'BatchDescribeCollection', 'TruncateCollection']
const partitions = ['CreatePartition', 'DropPartition', 'HasPartition', 'ShowPartitions', 'LoadPartitions', 'ReleasePartitions', 'GetPartitionStatistics']
const aliases = ['CreateAlias', 'DropAlias', 'AlterAlias', 'DescribeAlias', 'ListAliases']
const indexes = ['AlterIndex', 'DropIndex', 'GetIndexState', 'GetIndexBuildProgress', 'GetIndexStatistics']
const segments = [
  'FlushAll', 'GetFlushAllState', 'ManualCompaction', 'GetCompactionState', 'GetCompactionStateWithPlans', 'GetMetrics', 'GetQuerySegmentInfo', 'GetPersistentSegmentInfo',
  'LoadBalance',
]
export const tierA: readonly string[] = [...quickStart, ...collections, ...partitions, ...aliases, ...indexes, ...segments]

const resourceGroups = [
  'CreateResourceGroup', 'DropResourceGroup', 'UpdateResourceGroups', 'TransferNode', 'TransferReplica', 'ListResourceGroups', 'DescribeResourceGroup',
]
const rights = [
  'CreateCredential', 'UpdateCredential', 'DeleteCredential', 'ListCredUsers', 'CreateRole', 'DropRole', 'OperateUserRole', 'SelectRole', 'SelectUser', 'OperatePrivilege',
  'OperatePrivilegeV2', 'SelectGrant', 'BackupRBAC', 'RestoreRBAC', 'CreatePrivilegeGroup', 'DropPrivilegeGroup', 'ListPrivilegeGroups', 'OperatePrivilegeGroup',
]
export const tierB: readonly string[] = ['HybridSearch', 'ListDatabases', 'DescribeDatabase', 'AlterDatabase', 'GetReplicas', ...resourceGroups, ...rights]
