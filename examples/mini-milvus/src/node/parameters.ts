/** Every parameter of the node, once: flags, environment, file, `--help` and the reference are made from this list. */
import { createGlobalParamsTable, type GlobalParamsTable, type ParamDeclaration } from '@timetick/paramtable'
import { clientDeclarations } from './client-parameters.ts'
import { clusterDeclarations } from '../cluster/parameters.ts'
import { securityDeclarations } from './security-parameters.ts'
import { storeDeclarations } from './store-parameters.ts'

export const ENV_PREFIX = 'MINI_MILVUS_'

export const declarations: readonly ParamDeclaration[] = [
  { key: 'proxy.host', type: 'string', default: '127.0.0.1', doc: 'Address that gRPC and REST listen on.' },
  { key: 'proxy.port', type: 'int', default: 19530, min: 0, max: 65_535, doc: 'Port of gRPC and REST. 0 takes any free one.' },
  { key: 'proxy.allowOpen', type: 'bool', default: false, doc: 'Listen on another address than loopback although everyone may do everything, or root has its default password.' },
  { key: 'proxy.timeTickInterval', type: 'durationMs', unit: 'ms', default: 200, min: 1, max: 60_000, doc: 'How often an idle channel gets a time tick. Reads that wait ask for one at once.' },
  { key: 'proxy.shutdownTimeout', type: 'durationMs', unit: 'ms', default: 10_000, min: 0, max: 600_000, doc: 'How long running calls may finish when the node stops.' },
  { key: 'proxy.maxReceiveBytes', type: 'bytes', unit: 'b', default: '64m', min: 1024, max: 1024 ** 3, doc: 'Largest request.' },
  { key: 'metrics.port', type: 'int', default: 9091, min: 0, max: 65_535, doc: 'Port of health and metrics. 0 takes any free one.' },
  { key: 'metrics.enabled', type: 'bool', default: true, doc: 'Serve health and metrics.' },
  { key: 'metrics.compat', type: 'enum', default: 'milvus', oneOf: ['milvus', 'none'], doc: 'milvus: the page of metrics also says what Milvus’s Grafana dashboard looks for its nodes by.' },
  { key: 'insight.enabled', type: 'bool', default: true, doc: 'Serve the page of insight on the port of the metrics, at /webui/.' },
  { key: 'insight.actions', type: 'bool', default: false, doc: 'Let the page flush, load, release and drop collections.' },
  { key: 'insight.token', type: 'string', default: '', secret: true, doc: 'What the page asks for before it shows anything; without it, users of the node where authorization is enabled, else nothing.' },
  { key: 'insight.hosts', type: 'string', default: '', doc: 'More names, by commas, by which browsers may call the page: a proxy’s, or this machine’s.' },
  { key: 'insight.maxClients', type: 'int', default: 1000, min: 1, max: 100_000, doc: 'Pages and other clients of insight’s websocket at once.' },
  { key: 'insight.maxClientsPerPeer', type: 'int', default: 20, min: 1, max: 100_000, doc: 'Of those, from one address.' },
  { key: 'insight.slowCall', type: 'durationMs', unit: 'ms', default: 1000, min: 1, max: 600_000, doc: 'A call that took longer is shown as slow.' },
  { key: 'insight.laggingAfter', type: 'durationMs', unit: 'ms', default: 5000, min: 1, max: 3_600_000, doc: 'A log channel whose readers are so far behind is shown as lagging.' },
  { key: 'insight.stuckAfter', type: 'durationMs', unit: 'ms', default: 60_000, min: 1, max: 3_600_000, doc: 'And so far, as stuck.' },
  { key: 'localStorage.path', type: 'string', default: './mini-milvus-data', doc: 'Folder of the data.' },
  { key: 'common.inMemory', type: 'bool', default: false, doc: 'Keep everything in memory, but for stores that are named; nothing survives the process.' },
  { key: 'common.gracefulTime', type: 'durationMs', unit: 'ms', default: 5000, min: 0, max: 3_600_000, doc: 'How stale a read with bounded consistency may be.' },
  { key: 'common.visibility', type: 'enum', default: 'milvus', oneOf: ['milvus', 'flush'], doc: 'When written rows are seen, unless their collection, database or connection says otherwise: milvus: at once; flush: at the flush of their client.' },
  { key: 'rootCoord.dmlChannelNum', type: 'int', default: 4, min: 1, max: 256, immutable: true, doc: 'Log channels that all collections share. Fixed when the data folder is made.' },
  { key: 'dataNode.sealBytes', type: 'bytes', unit: 'b', default: '128m', min: 1024, max: 1024 ** 3, doc: 'A shard with so many unflushed bytes becomes a segment.' },
  { key: 'dataNode.sealIdle', type: 'durationMs', unit: 'ms', default: 600_000, min: 100, max: 86_400_000, doc: 'Unflushed writes become a segment after so long, so that the log can be cut.' },
  { key: 'dataNode.maxBufferedBytes', type: 'bytes', unit: 'b', default: '512m', min: 1024 ** 2, max: 64 * 1024 ** 3, doc: 'Unflushed bytes of a channel beyond which its log is no longer read ahead.' },
  { key: 'staging.maxClientBytes', type: 'bytes', unit: 'b', default: '512m', min: 1024, max: 64 * 1024 ** 3, doc: 'Bytes of writes that a client may hold back until its flush, where visibility is flush.' },
  { key: 'staging.maxBytes', type: 'bytes', unit: 'b', default: '2g', min: 1024, max: 64 * 1024 ** 3, doc: 'The same of all clients together.' },
  { key: 'staging.spillBytes', type: 'bytes', unit: 'b', default: '128m', min: 1024, max: 64 * 1024 ** 3, doc: 'A client that holds back more keeps the rest on disk.' },
  { key: 'staging.spillPath', type: 'string', default: '', doc: 'Folder for that. Unset: in the data folder, or where temporary files go on a proxy of a cluster.' },
  { key: 'compaction.minSegments', type: 'int', default: 8, min: 2, max: 1000, doc: 'So many small segments of a partition are merged into one.' },
  { key: 'compaction.deleteShare', type: 'float', default: 0.3, min: 0.01, max: 1, doc: 'A segment is rewritten when more deletes wait for it than this share of its rows.' },
  { key: 'queryNode.count', type: 'int', default: 1, min: 1, max: 64, doc: 'Query nodes in this process. From 2 on each holds a part of what is loaded, replicas have nodes of their own, and the number can be changed while the node runs.' },
  { key: 'queryNode.drainTimeout', type: 'durationMs', unit: 'ms', default: 30_000, min: 0, max: 3_600_000, doc: 'How long a query node that stops waits for others to take over what it holds.' },
  { key: 'queryCoord.interval', type: 'durationMs', unit: 'ms', default: 1000, min: 10, max: 60_000, doc: 'How often several query nodes are looked at when nothing happens.' },
  { key: 'queryCoord.grace', type: 'durationMs', unit: 'ms', default: 5000, min: 0, max: 600_000, doc: 'How long segments that were moved can still be read where they were.' },
  { key: 'queryCoord.autoBalance', type: 'bool', default: true, doc: 'Move segments from query nodes that carry more to those that carry less.' },
  { key: 'queryCoord.maxMoves', type: 'int', default: 20, min: 1, max: 10_000, doc: 'Segments that are moved for balance at a time.' },
  { key: 'queryCoord.tolerance', type: 'float', default: 0.1, min: 0, max: 10, doc: 'Differences between query nodes that are left alone, as a share of the mean load.' },
  { key: 'queryNode.maxWait', type: 'durationMs', unit: 'ms', default: 10_000, min: 100, max: 600_000, doc: 'How long a read waits for the timestamp that it must see, before it is refused.' },
  { key: 'proxy.iteratorTimeout', type: 'durationMs', unit: 'ms', default: 60_000, min: 100, max: 86_400_000, doc: 'How long after a page of an iterator the next one finds what it looks at.' },
  { key: 'queryNode.maxKeptBytes', type: 'bytes', unit: 'b', default: '512m', min: 1024, max: 1024 ** 4, doc: 'Memory of rows and deaths that a query node keeps for iterators alone, since flushes and compactions have replaced them; beyond it the moment of the one that was silent longest is gone.' },
  { key: 'indexNode.minRows', type: 'int', default: 4096, min: 1, max: 1_000_000, doc: 'Smaller segments are searched without an index.' },
  { key: 'import.path', type: 'string', default: '', doc: 'Folder below which imports find their files. Empty: the prefix import/ of the object storage, in a data folder objects/import.' },
  { key: 'import.concurrency', type: 'int', default: 2, min: 1, max: 64, doc: 'Import jobs that run at once.' },
  { key: 'import.maxJobs', type: 'int', default: 1024, min: 1, max: 100_000, doc: 'Import jobs that may wait or run; more are refused.' },
  { key: 'import.maxFiles', type: 'int', default: 1024, min: 1, max: 100_000, doc: 'Files of one import job.' },
  { key: 'import.maxFileBytes', type: 'bytes', unit: 'b', default: '16g', min: 1024, max: 1024 ** 4, doc: 'Largest file that is imported.' },
  { key: 'import.retention', type: 'durationMs', unit: 'ms', default: 10_800_000, min: 1000, max: 31_536_000_000, doc: 'How long an import job that has ended is told of.' },
  { key: 'engine.threads', type: 'int', default: 0, min: 0, max: 64, doc: 'Worker threads for searches and index builds. 0: one per processor, at most four.' },
  { key: 'log.level', type: 'enum', default: 'info', oneOf: ['trace', 'debug', 'info', 'warn', 'error', 'silent'], doc: 'What is logged.' },
  { key: 'log.format', type: 'enum', default: 'auto', oneOf: ['auto', 'text', 'json'], doc: 'Text for people, JSON lines for machines; auto asks whether the output is a terminal.' },
  { key: 'watchdog.interval', type: 'durationMs', unit: 'ms', default: 1000, min: 10, max: 60_000, doc: 'How often each role beats.' },
  ...storeDeclarations,
  ...clientDeclarations,
  ...securityDeclarations,
  ...clusterDeclarations,
]

export function createParameters(environment: Readonly<Record<string, string | undefined>>, onListenerError?: (error: unknown) => void): GlobalParamsTable {
  return createGlobalParamsTable({ declarations, strict: true, env: { prefix: ENV_PREFIX, values: environment }, onListenerError })
}
