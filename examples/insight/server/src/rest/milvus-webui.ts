/**
 * The few answers of Milvus's own web interface that scripts ask for, in its form: `/api/v1/_cluster/info`, `/_db/list`,
 * `/_collection/list`. They tell of one cluster, the first that is configured.
 */
import type { Cluster } from '../core/cluster.ts'
import type { Layer } from '../core/layer.ts'
import type { Entity, Json } from '../core/model.ts'
import type { Parameter, Reply, RestRequest, Route } from './route.ts'
import type { Open } from './routes-lists.ts'

export const MILVUS_BASE = '/api/v1'

const database: Parameter = { name: 'db_name', in: 'query', description: 'Only this database.', schema: { type: 'string', default: 'default' } }

/** Below {@link MILVUS_BASE}. */
export function milvusRoutes(open: Open, firstCluster: () => string | undefined): Route[] {
  const route = (path: string, summary: string, answer: (opened: { readonly cluster: Cluster; readonly layer: Layer }, request: RestRequest) => Json, parameters?: readonly Parameter[]): Route => ({
    method: 'GET',
    path,
    summary,
    parameters,
    run: async (request): Promise<Reply> => ({ status: 200, body: answer(await open(request, firstCluster()), request) as object }),
  })
  return [
    route('/_cluster/info', 'Nodes of the cluster.', ({ layer }, request) => ({ nodes_info: seen(layer, 'node', request).map(nodeOf) })),
    route('/_db/list', 'Databases.', ({ layer }, request) => {
      const all = seen(layer, 'database', request)
      return { db_names: all.map(({ row, key }) => textOf(row['name'], key)), db_ids: all.map(({ row }) => textOf(row['id'], '0')), created_timestamps: all.map(({ row }) => timeOf(row['createdTs'])) }
    }),
    route(
      '/_collection/list',
      'Collections of a database.',
      ({ layer }, request) => {
        const db = request.query.get('db_name') ?? 'default'
        const all = seen(layer, 'collection', request).filter(({ row }) => row['db'] === db)
        const loaded = all.map(({ row }) => (row['load'] ?? {}) as { readonly state?: string; readonly percent?: number | null })
        return {
          collection_names: all.map(({ row, key }) => textOf(row['name'], key)),
          collection_ids: all.map(({ row }) => textOf(row['id'], '0')),
          created_utc_timestamps: all.map(({ row }) => timeOf(row['createdTs'])),
          inMemory_percentages: loaded.map(({ percent }) => (typeof percent === 'number' ? String(percent) : 'unknown')),
          query_service_available: loaded.map(({ state }) => state === 'loaded'),
        }
      },
      [database],
    ),
  ]
}

function seen(layer: Layer, kind: 'node' | 'database' | 'collection', { principal }: RestRequest): Entity[] {
  return [...layer.entities(kind)].filter(({ key, row }) => principal?.sees(kind, key, row) === true)
}

function nodeOf({ key, row }: Entity): Json {
  const { name, role, address, version, state, startedAt } = row
  return {
    identifier: key,
    infos: {
      has_error: state !== 'healthy',
      error_reason: '',
      name: textOf(name, key),
      type: textOf(role, ''),
      hardware_infos: { ip: textOf(address, '') },
      created_time: typeof startedAt === 'number' ? new Date(startedAt).toISOString() : '',
      system_info: { system_version: textOf(version, '') },
    },
  }
}

/** Milvus writes times as `2006-01-02 15:04:05`, and nothing for none. Ours are hybrid (18 bits of a counter) or ms. */
function timeOf(value: Json | undefined): string {
  if (typeof value !== 'string' || !/^\d{1,20}$/.test(value)) return ''
  const number = BigInt(value)
  const ms = Number(number > 10n ** 15n ? number >> 18n : number)
  return ms === 0 ? '' : new Date(ms).toISOString().slice(0, 19).replace('T', ' ')
}

const textOf = (value: Json | undefined, otherwise: string): string => (typeof value === 'string' ? value : otherwise)
