/** Lists, details and search: what a cluster has. */
import type { Cluster } from '../core/cluster.ts'
import type { Layer } from '../core/layer.ts'
import type { Clock, Entity, Json, Kind, Row } from '../core/model.ts'
import { QueryError, type ListedRow } from '../core/query.ts'
import { clusterParameter, integer, LISTS, listParameters, oneOf, text } from './parameters.ts'
import { RestError, type Reply, type RestRequest, type Route } from './route.ts'

export type Open = (request: RestRequest, id: string | undefined) => Promise<{ readonly cluster: Cluster; readonly layer: Layer }>

/** Reading through asks the cluster: so often at most, whoever asks. */
const READ_THROUGH_MS = 1000

export function listRoutes(open: Open, clock: Clock): Route[] {
  const readAt = new Map<string, number>()
  const lists = Object.entries(LISTS).map(([segment, kind]): Route => ({
    method: 'GET',
    path: `/clusters/:c/${segment}`,
    summary: `The cluster's ${segment}: searched, filtered, sorted and cut on the server.`,
    parameters: [clusterParameter, ...listParameters],
    run: async (request, { c }) => list(await open(request, c), kind, request),
  }))
  return [
    ...lists,
    {
      method: 'GET',
      path: '/clusters/:c/collections/:id',
      summary: 'A collection with its partitions, indexes, aliases, segments and channels.',
      parameters: [clusterParameter, { name: 'id', in: 'path', description: 'Id of the collection.', schema: { type: 'string' } }, { name: 'refresh', in: 'query', description: '1: ask the cluster first, at most once a second.', schema: { type: 'string' } }],
      run: async (request, { c, id = '' }) => {
        const opened = await open(request, c)
        const now = clock.now()
        if (request.query.get('refresh') === '1' && now - (readAt.get(opened.cluster.id) ?? -Infinity) >= READ_THROUGH_MS) {
          readAt.set(opened.cluster.id, now)
          await opened.cluster.refresh()
        }
        return detail(opened, id, request)
      },
    },
    {
      method: 'GET',
      path: '/clusters/:c/search',
      summary: 'Names and ids of all kinds, ten of each.',
      parameters: [clusterParameter, { name: 'q', in: 'query', description: 'Part of a name or id.', schema: { type: 'string', minLength: 1, maxLength: 256 } }],
      run: async (request, { c }) => search(await open(request, c), request),
    },
  ]
}

const sees = ({ principal }: RestRequest) => (entity: Entity): boolean => principal?.sees(entity.kind, entity.key, entity.row) ?? false

/** What every list says of its age. */
const header = ({ cluster, layer }: { readonly cluster: Cluster; readonly layer: Layer }) => ({ epoch: layer.epoch, seq: layer.seq, asOf: cluster.status().asOf, stale: cluster.isStale })

function list(opened: { readonly cluster: Cluster; readonly layer: Layer }, kind: Kind, request: RestRequest): Reply {
  const { query, principal } = request
  // Who asks, and what they may see now, are part of the answer.
  const tag = `"${opened.layer.epoch}-${opened.layer.seq}-${opened.cluster.isStale ? 's' : 'l'}-${encodeURIComponent(`${principal?.name ?? ''}-${principal?.rights?.() ?? ''}`)}"`
  if (request.header('if-none-match') === tag) return { status: 304, text: '', type: 'application/json', headers: { etag: tag } }
  const page = asked(() =>
    opened.layer.query({
      kind,
      q: text(query, 'q'),
      db: text(query, 'db'),
      collection: text(query, 'collection'),
      state: text(query, 'state'),
      sort: text(query, 'sort'),
      order: oneOf(query, 'order', ['asc', 'desc']),
      limit: integer(query, 'limit', 1, 1000),
      cursor: text(query, 'cursor'),
      sees: sees(request),
    }),
  )
  const fields = text(query, 'fields')?.split(',')
  return { status: 200, headers: { etag: tag }, body: { ...header(opened), total: page.total, rows: page.rows.map((row) => shown(row, fields)), next: page.next } }
}

function shown(listed: ListedRow, fields: readonly string[] | undefined): Json {
  const { key, rev, observedAt, row } = listed
  const kept: Row = fields === undefined ? row : Object.fromEntries(fields.flatMap((field) => (Object.hasOwn(row, field) ? [[field, row[field] ?? null]] : [])))
  return { key, rev, observedAt, ...kept }
}

function detail(opened: { readonly cluster: Cluster; readonly layer: Layer }, id: string, request: RestRequest): Reply {
  const { layer } = opened
  const isVisible = sees(request)
  const found = collectionById(layer, id)
  if (found === undefined || !isVisible(found)) throw new RestError(404, 'not-found', `no collection has the id ${JSON.stringify(id)}`)
  const parts = (kind: Kind): Json[] => layer.under(kind, `${found.key}/`).filter(isVisible).map(({ key, rev, observedAt, row }) => ({ key, rev, observedAt, ...row }))
  const { key, rev, observedAt, row } = found
  return {
    status: 200,
    body: { ...header(opened), collection: { key, rev, observedAt, ...row }, partitions: parts('partition'), indexes: parts('index'), aliases: parts('alias'), segments: parts('segment'), channels: parts('channel') },
  }
}

/** Keys are `db/id`. */
function collectionById(layer: Layer, id: string): Entity | undefined {
  for (const { key } of layer.entities('database')) {
    const found = layer.get('collection', `${key}/${id}`)
    if (found !== undefined) return found
  }
  return [...layer.entities('collection')].find(({ row }) => row['id'] === id)
}

function search(opened: { readonly cluster: Cluster; readonly layer: Layer }, request: RestRequest): Reply {
  const q = text(request.query, 'q') ?? ''
  if (q === '') throw new RestError(400, 'bad-query', 'expected `q` to be a text to look for')
  const groups: Record<string, Json> = {}
  for (const [segment, kind] of Object.entries(LISTS)) {
    const page = asked(() => opened.layer.query({ kind, q, limit: 10, sees: sees(request) }))
    if (page.total > 0) groups[segment] = { total: page.total, rows: page.rows.map((row) => shown(row, undefined)) }
  }
  return { status: 200, body: { ...header(opened), groups } }
}

function asked<T>(query: () => T): T {
  try {
    return query()
  } catch (error) {
    if (error instanceof QueryError) throw new RestError(error.code === 'outdated' ? 410 : 400, error.code, error.message)
    throw error
  }
}
