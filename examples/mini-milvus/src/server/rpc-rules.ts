/**
 * What every RPC of the service needs: the one table that the gate reads. Privileges are those of milvus-proto; where it has
 * none, Milvus lets everyone in who is signed in, and so do we unless a call tells about a collection.
 */
import type { MetaReader } from '../coordinator/api.ts'
import type { Target } from '../coordinator/permissions.ts'
import type { RpcName } from './handlers.ts'
import { aliased, aliasMoved, analyzed, flushTargets, flushState, named, type Named, ofCollections, ofDatabase, ofDatabaseId, ofUser, renamed, searched } from './rpc-targets.ts'

export type TargetsOf = (request: Named, dbName: string, meta: MetaReader) => readonly Target[]

/** `anyone` needs no credentials; `signed-in` any; a privilege is needed on every target. */
export type RpcRule = 'anyone' | 'signed-in' | { readonly privilege: string; readonly targets: TargetsOf }

const cluster = (privilege: string): RpcRule => ({ privilege, targets: () => [{ level: 'cluster' }] })
const database = (privilege: string): RpcRule => ({ privilege, targets: ofDatabase })
const collection = (privilege: string): RpcRule => ({ privilege, targets: ofCollections })
const user = (privilege: string): RpcRule => ({ privilege, targets: ofUser })
const alter = database('CreateCollection')

export const rpcRules: Readonly<Record<RpcName, RpcRule>> = {
  CheckHealth: 'anyone',
  Connect: 'signed-in',
  ClientHeartbeat: 'signed-in',
  GetVersion: 'signed-in',
  AllocTimestamp: 'signed-in',
  Dummy: 'signed-in',
  RegisterLink: 'signed-in',
  GetMetrics: 'signed-in',
  GetComponentStates: 'signed-in',

  CreateCollection: database('CreateCollection'),
  DropCollection: database('DropCollection'),
  TruncateCollection: database('DropCollection'),
  AlterCollection: alter,
  AlterCollectionField: alter,
  AddCollectionFunction: alter,
  AlterCollectionFunction: alter,
  DropCollectionFunction: alter,
  RenameCollection: { privilege: 'RenameCollection', targets: renamed },
  HasCollection: collection('DescribeCollection'),
  DescribeCollection: collection('DescribeCollection'),
  BatchDescribeCollection: collection('DescribeCollection'),
  // It shows what the caller may see.
  ShowCollections: 'signed-in',
  GetCollectionStatistics: collection('GetStatistics'),
  AddCollectionField: collection('AddCollectionField'),
  AddCollectionStructField: collection('AddCollectionField'),
  AlterCollectionSchema: collection('AlterCollectionSchema'),
  RefreshExternalCollection: collection('RefreshExternalCollection'),
  GetRefreshExternalCollectionProgress: 'signed-in',
  ListRefreshExternalCollectionJobs: collection('RefreshExternalCollection'),

  LoadCollection: collection('Load'),
  LoadPartitions: collection('Load'),
  Prewarm: collection('Load'),
  DescribePrewarmTask: 'signed-in',
  ReleaseCollection: collection('Release'),
  ReleasePartitions: collection('Release'),
  GetLoadingProgress: collection('GetLoadState'),
  GetLoadState: collection('GetLoadState'),
  LoadBalance: collection('LoadBalance'),
  GetReplicas: collection('DescribeCollection'),
  GetPersistentSegmentInfo: collection('DescribeCollection'),
  GetQuerySegmentInfo: collection('DescribeCollection'),

  CreatePartition: collection('CreatePartition'),
  DropPartition: collection('DropPartition'),
  HasPartition: collection('HasPartition'),
  ShowPartitions: collection('ShowPartitions'),
  GetPartitionStatistics: collection('GetStatistics'),
  CreateNamespace: collection('CreatePartition'),
  DropNamespace: collection('DropPartition'),
  HasNamespace: collection('HasPartition'),
  DescribeNamespace: collection('ShowPartitions'),
  ListNamespaces: collection('ShowPartitions'),
  GetNamespaceStats: collection('ShowPartitions'),

  CreateAlias: { privilege: 'CreateAlias', targets: named },
  AlterAlias: { privilege: 'CreateAlias', targets: aliasMoved },
  DropAlias: { privilege: 'DropAlias', targets: aliased },
  DescribeAlias: { privilege: 'DescribeAlias', targets: aliased },
  ListAliases: collection('ListAliases'),

  CreateIndex: collection('CreateIndex'),
  AlterIndex: collection('CreateIndex'),
  DropIndex: collection('DropIndex'),
  DescribeIndex: collection('IndexDetail'),
  GetIndexStatistics: collection('IndexDetail'),
  GetIndexState: collection('IndexDetail'),
  GetIndexBuildProgress: collection('IndexDetail'),
  ListIndexedSegment: collection('IndexDetail'),
  DescribeSegmentIndexData: collection('IndexDetail'),

  Insert: collection('Insert'),
  Upsert: collection('Upsert'),
  Delete: collection('Delete'),
  BatchUpdateManifest: collection('Insert'),
  Search: collection('Search'),
  HybridSearch: { privilege: 'Search', targets: searched },
  Query: collection('Query'),
  CalcDistance: { privilege: 'Query', targets: searched },
  RunAnalyzer: { privilege: 'DescribeCollection', targets: analyzed },
  ComputePhraseMatchSlop: 'signed-in',

  Flush: collection('Flush'),
  FlushAll: { privilege: 'FlushAll', targets: flushTargets },
  GetFlushState: { privilege: 'GetFlushState', targets: flushState },
  GetFlushAllState: 'signed-in',
  ManualCompaction: collection('Compaction'),
  GetCompactionState: 'signed-in',
  GetCompactionStateWithPlans: 'signed-in',
  Import: collection('Import'),
  GetImportState: 'signed-in',
  ListImportTasks: collection('Import'),

  CreateDatabase: cluster('CreateDatabase'),
  DropDatabase: cluster('DropDatabase'),
  // It shows what the caller may see.
  ListDatabases: 'signed-in',
  DescribeDatabase: database('DescribeDatabase'),
  AlterDatabase: { privilege: 'AlterDatabase', targets: ofDatabaseId },

  CreateCredential: cluster('CreateOwnership'),
  DeleteCredential: cluster('DropOwnership'),
  ListCredUsers: cluster('SelectOwnership'),
  UpdateCredential: user('UpdateUser'),
  SelectUser: user('SelectUser'),
  AddUserTags: user('UpdateUser'),
  DeleteUserTags: user('UpdateUser'),
  GetUserTags: user('SelectUser'),
  ListUsersWithTag: user('SelectUser'),
  CreateRole: cluster('CreateOwnership'),
  AlterRole: cluster('CreateOwnership'),
  DropRole: cluster('DropOwnership'),
  SelectRole: cluster('SelectOwnership'),
  OperateUserRole: cluster('ManageOwnership'),
  OperatePrivilege: cluster('ManageOwnership'),
  OperatePrivilegeV2: cluster('ManageOwnership'),
  SelectGrant: cluster('SelectOwnership'),
  BackupRBAC: cluster('BackupRBAC'),
  RestoreRBAC: cluster('RestoreRBAC'),
  CreatePrivilegeGroup: cluster('CreatePrivilegeGroup'),
  DropPrivilegeGroup: cluster('DropPrivilegeGroup'),
  ListPrivilegeGroups: cluster('ListPrivilegeGroups'),
  OperatePrivilegeGroup: cluster('OperatePrivilegeGroup'),
  CreateRowPolicy: collection('ManageRLS'),
  DropRowPolicy: collection('ManageRLS'),
  ListRowPolicies: collection('ViewRLS'),

  CreateResourceGroup: cluster('CreateResourceGroup'),
  DropResourceGroup: cluster('DropResourceGroup'),
  UpdateResourceGroups: cluster('UpdateResourceGroups'),
  DescribeResourceGroup: cluster('DescribeResourceGroup'),
  ListResourceGroups: cluster('ListResourceGroups'),
  TransferNode: cluster('TransferNode'),
  TransferReplica: cluster('TransferReplica'),

  AddFileResource: cluster('AddFileResource'),
  RemoveFileResource: cluster('RemoveFileResource'),
  ListFileResources: cluster('ListFileResources'),
  CreateSnapshot: collection('CreateSnapshot'),
  DropSnapshot: collection('DropSnapshot'),
  ListSnapshots: collection('ListSnapshots'),
  DescribeSnapshot: collection('DescribeSnapshot'),
  RestoreSnapshot: collection('RestoreSnapshot'),
  ListRestoreSnapshotJobs: collection('RestoreSnapshot'),
  GetRestoreSnapshotState: 'signed-in',
  RestoreExternalSnapshot: cluster('RestoreExternalSnapshot'),
  ExportSnapshot: cluster('ExportSnapshot'),
  PinSnapshotData: cluster('PinSnapshotData'),
  UnpinSnapshotData: cluster('UnpinSnapshotData'),

  // Between clusters: nobody but who may set that up.
  UpdateReplicateConfiguration: cluster('UpdateReplicateConfiguration'),
  GetReplicateConfiguration: cluster('GetReplicateConfiguration'),
  GetReplicateInfo: cluster('GetReplicateConfiguration'),
  ReplicateMessage: cluster('UpdateReplicateConfiguration'),
  CreateReplicateStream: cluster('UpdateReplicateConfiguration'),
  DumpMessages: cluster('UpdateReplicateConfiguration'),
}
