/** What the coordinators of Milvus tell: the metadata, and who serves it. */
import { parseTimestamp } from '@timetick/tso'
import type { SegmentMeta } from '../../model/meta.ts'
import type { Catalog } from '../../coordinator/catalog.ts'
import type { GaugeSink, Sample } from './sink.ts'

type Metadata = Pick<Catalog, 'collections' | 'load' | 'segments' | 'checkpoint'>

export interface CoordinatorGaugeOptions {
  /** Undefined where another coordinator leads: it tells of the metadata, and this one of none. */
  readonly meta: () => Metadata | undefined
  readonly pchannels: readonly string[]
  readonly members: () => { readonly proxies: number; readonly dataNodes: number; readonly queryNodes: number }
}

/** Of the first so many collections: labels that grow without end would be the monitoring's end. */
const MAX_COLLECTIONS = 200

export function coordinatorGauges({ one, many, nodeId }: GaugeSink, { meta, pchannels, members }: CoordinatorGaugeOptions): void {
  const collections = () => meta()?.collections() ?? []
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
  const segments = (id: bigint): SegmentMeta[] => meta()?.segments(id).filter(({ level }) => level === 'L1') ?? []
  const rows = (): SegmentMeta[] => collections().flatMap(({ id }) => segments(id))
  const indexed = (): number => rows().filter(({ indexes }) => indexes.some(({ state }) => state === 'finished')).length
  const perCollection = (read: (segment: SegmentMeta) => number) => (): Sample[] =>
    collections().slice(0, MAX_COLLECTIONS).map(({ id, dbName, schema }) => ({ labels: { db_name: dbName, collection_name: schema.name }, value: sum(segments(id).map(read)) }))
  const ofCollection = ['db_name', 'collection_name']

  one('milvus_rootcoord_collection_num', 'Collections.', () => collections().length)
  one('milvus_rootcoord_partition_num', 'Partitions.', () => sum(collections().map(({ partitions }) => partitions.length)))
  one('milvus_rootcoord_proxy_num', 'Proxies.', () => members().proxies)
  one('milvus_rootcoord_dml_channel_num', 'Log channels.', () => pchannels.length)
  one('milvus_rootcoord_msgstream_obj_num', 'Log channels that are open for writing.', () => pchannels.length)
  many('milvus_rootcoord_entity_num', 'Flushed rows.', ofCollection, perCollection((segment) => segment.rows))
  one('milvus_querycoord_collection_num', 'Collections that are to be loaded.', () => collections().filter(({ id }) => meta()?.load(id) !== undefined).length)
  one('milvus_querycoord_partition_num', 'Partitions that are to be loaded.', () => sum(collections().map(({ id }) => meta()?.load(id)?.partitionIds.length ?? 0)))
  one('milvus_querycoord_querynode_num', 'Query nodes.', () => members().queryNodes)
  one('milvus_querycoord_task_num', 'Collections that load.', () => 0)
  many('milvus_datacoord_segment_num', 'Segments.', ['segment_state', 'segment_level'], () => [{ labels: { segment_state: 'Flushed', segment_level: 'L1' }, value: rows().length }])
  one('milvus_datacoord_collection_num', 'Collections.', () => collections().length)
  many('milvus_datacoord_stored_binlog_size', 'Bytes of segments.', ofCollection, perCollection((segment) => segment.bytes))
  many('milvus_datacoord_stored_rows_num', 'Rows of segments.', ofCollection, perCollection((segment) => segment.rows))
  one('milvus_datacoord_stored_rows_count', 'Rows of segments.', () => sum(rows().map((segment) => segment.rows)))
  one('milvus_datacoord_stored_index_files_size', 'Bytes of indexes.', () => sum(rows().flatMap(({ indexes }) => indexes.map(({ bytes }) => bytes))))
  one('milvus_datacoord_datanode_num', 'Data nodes.', () => members().dataNodes)
  one('milvus_datacoord_index_node_num', 'Index nodes.', () => members().dataNodes)
  many('milvus_datacoord_index_task_num', 'Index builds by state.', ['index_task_status'], () => [
    { labels: { index_task_status: 'finished' }, value: indexed() },
    { labels: { index_task_status: 'unissued' }, value: rows().length - indexed() },
  ])
  many('milvus_datacoord_channel_checkpoint_unix_seconds', 'From where the log is still needed.', ['node_id', 'channel_name'], () =>
    pchannels.flatMap((channel_name) => {
      const seconds = checkpointSeconds(meta()?.checkpoint(channel_name))
      return seconds === undefined ? [] : [{ labels: { node_id: nodeId, channel_name }, value: seconds }]
    }),
  )
  one('milvus_storage_kv_size', 'Bytes of segments.', () => sum(rows().map(({ bytes }) => bytes)))
}

function checkpointSeconds(json: string | undefined): number | undefined {
  if (json === undefined) return undefined
  const { timestamp } = JSON.parse(json) as { timestamp?: string }
  return timestamp === undefined ? undefined : Math.floor(parseTimestamp(BigInt(timestamp)).physicalMs / 1000)
}
