/**
 * MilvusService as it stood in autumn 2021 as resources: the paths of the seed where it gives them, in its pattern where it does not; and
 * beside them the flat paths that Milvus 2.0 to 2.2 served under the same prefix. `{name}` is a field of the request message.
 */
import type { RpcName } from '../server/handlers.ts'

export interface ResourceRow {
  readonly rpc: RpcName
  /** `METHOD /path`, without `/api/v1`. */
  readonly resource: readonly string[]
  readonly flat: readonly string[]
}

function row(rpc: RpcName, resource: string | readonly string[], flat: string): ResourceRow {
  return { rpc, resource: typeof resource === 'string' ? [resource] : resource, flat: [flat] }
}

const C = '/collections/{collection_name}'
const P = `${C}/partitions/{partition_name}`
const PS = `${C}/partitions/{partition_names}`
const X = `${C}/indexes/{field_name}`

/** RegisterLink is not here: it has no HTTP form anywhere. */
export const resourceRows: readonly ResourceRow[] = [
  row('CreateCollection', 'POST /collections', 'POST /collection'),
  row('DropCollection', `DELETE ${C}`, 'DELETE /collection'),
  row('HasCollection', `GET ${C}`, 'GET /collection/existence'),
  row('LoadCollection', `PUT ${C}/load`, 'POST /collection/load'),
  row('ReleaseCollection', `DELETE ${C}/load`, 'DELETE /collection/load'),
  row('DescribeCollection', `GET ${C}/schema`, 'GET /collection'),
  row('GetCollectionStatistics', `GET ${C}/statistics`, 'GET /collection/statistics'),
  row('ShowCollections', 'GET /collections-list', 'GET /collections'),
  row('CreatePartition', `POST ${C}/partitions`, 'POST /partition'),
  row('DropPartition', `DELETE ${P}`, 'DELETE /partition'),
  row('HasPartition', `GET ${P}`, 'GET /partition/existence'),
  row('LoadPartitions', `PUT ${PS}/load`, 'POST /partitions/load'),
  row('ReleasePartitions', `DELETE ${PS}/load`, 'DELETE /partitions/load'),
  row('GetPartitionStatistics', `GET ${P}/statistics`, 'GET /partition/statistics'),
  row('ShowPartitions', `GET ${C}/partitions-list`, 'GET /partitions'),
  row('CreateAlias', ['POST /aliases', `POST ${C}/aliases`], 'POST /alias'),
  row('DropAlias', 'DELETE /aliases/{alias}', 'DELETE /alias'),
  row('AlterAlias', 'PUT /aliases/{alias}', 'PATCH /alias'),
  row('CreateIndex', `POST ${C}/indexes`, 'POST /index'),
  row('DescribeIndex', `GET ${X}`, 'GET /index'),
  row('GetIndexState', `GET ${X}/state`, 'GET /index/state'),
  row('GetIndexBuildProgress', `GET ${X}/progress`, 'GET /index/progress'),
  row('DropIndex', `DELETE ${X}`, 'DELETE /index'),
  row('Insert', [`POST ${C}/records`, `POST ${P}/records`], 'POST /entities'),
  row('Delete', [`DELETE ${C}/records`, `DELETE ${P}/records`, `POST ${C}/records/delete`], 'DELETE /entities'),
  row('Search', `POST ${C}/records/search`, 'POST /search'),
  row('Flush', [`PUT /collections/{collection_names}/flush`, 'POST /flush'], 'POST /persist'),
  row('Query', `POST ${C}/records/query`, 'POST /query'),
  row('CalcDistance', 'POST /distance', 'GET /distance'),
  row('GetPersistentSegmentInfo', 'GET /collections/{collectionName}/segments/persistent', 'GET /persist/segment-info'),
  row('GetQuerySegmentInfo', 'GET /collections/{collectionName}/segments/query', 'GET /query-segment-info'),
  // These three have one path in both forms.
  { rpc: 'Dummy', resource: ['POST /dummy'], flat: [] },
  { rpc: 'GetMetrics', resource: ['GET /metrics'], flat: [] },
  { rpc: 'LoadBalance', resource: ['POST /load-balance'], flat: [] },
  row('GetCompactionState', 'GET /compactions/{compactionID}', 'GET /compaction/state'),
  row('ManualCompaction', 'POST /compactions', 'POST /compaction'),
  row('GetCompactionStateWithPlans', 'GET /compactions/{compactionID}/plans', 'GET /compaction/plans'),
]

/** Flat paths of RPCs that came after the 38. */
export const laterRows: readonly ResourceRow[] = [
  { rpc: 'GetFlushState', resource: [], flat: ['GET /persist/state'] },
  { rpc: 'GetReplicas', resource: [], flat: ['GET /replicas'] },
  { rpc: 'Import', resource: [], flat: ['POST /import'] },
  { rpc: 'GetImportState', resource: [], flat: ['GET /import/state'] },
  { rpc: 'ListImportTasks', resource: [], flat: ['GET /import/tasks'] },
  { rpc: 'CreateCredential', resource: [], flat: ['POST /credential'] },
  { rpc: 'UpdateCredential', resource: [], flat: ['PATCH /credential'] },
  { rpc: 'DeleteCredential', resource: [], flat: ['DELETE /credential'] },
  { rpc: 'ListCredUsers', resource: [], flat: ['GET /credential/users'] },
]
