/** Clusters and their feeds: connect and disconnect, events, gauges, refresh, actions. */
import type { Identity, Principal } from '../access.ts'
import type { Cluster } from '../core/cluster.ts'
import type { Clusters } from '../core/clusters.ts'
import type { Layer } from '../core/layer.ts'
import { KINDS, type Clock, type InsightEvent, type Json, type Kind } from '../core/model.ts'
import type { ActionName, VectorQuery } from '../source/source.ts'
import type { GaugeSample } from '../core/gauges.ts'
import { textOf } from '../core/ring.ts'
import { Interest } from '../hub/topics.ts'
import { withShortFloats } from './float32.ts'
import { clusterParameter, integer, text } from './parameters.ts'
import { eventId, RestError, type Reply, type RestRequest, type Route } from './route.ts'
import type { Open } from './routes-lists.ts'

const MARK_MS = 15_000
const ACTIONS: readonly ActionName[] = ['flush', 'load', 'release', 'drop']

export function clusterRoutes({ clusters, open, clock }: { readonly clusters: Clusters; readonly open: Open; readonly clock: Clock }): Route[] {
  return [
    { method: 'GET', path: '/clusters', summary: 'The configured clusters and how they are.', run: (request) => ({ status: 200, body: { clusters: [...clusters].map((cluster) => status(cluster, request)) } }) },
    {
      method: 'POST',
      path: '/clusters',
      summary: 'Connects a configured cluster, by its name: opens its layer, starts its job.',
      run: async (request) => {
        const { id } = bodyOf(request)
        const { cluster } = await open(request, typeof id === 'string' ? id : '')
        return { status: 200, body: status(cluster, request) }
      },
    },
    { method: 'GET', path: '/clusters/:c', summary: 'State, age, sequence and counts of a cluster.', parameters: [clusterParameter], run: (request, { c }) => ({ status: 200, body: status(find(clusters, c), request) }) },
    {
      method: 'DELETE',
      path: '/clusters/:c',
      summary: 'Disconnects: stops the job, saves everything. With `purge=1` what was saved is forgotten too.',
      parameters: [clusterParameter, { name: 'purge', in: 'query', description: '1: forget what is on disk.', schema: { type: 'string' } }],
      run: async (request, { c }) => {
        const { query, principal } = request
        if (principal?.mayAct !== true) throw new RestError(403, 'forbidden', 'you may not disconnect clusters')
        const cluster = find(clusters, c)
        await (query.get('purge') === '1' ? cluster.purge() : cluster.disconnect())
        return { status: 200, body: status(cluster, request) }
      },
    },
    {
      method: 'POST',
      path: '/clusters/:c/refresh',
      summary: 'Asks the cluster now; answers when it has answered.',
      parameters: [clusterParameter],
      run: async (request, { c }) => {
        const { cluster } = await open(request, c)
        await cluster.refresh()
        return { status: 200, body: status(cluster, request) }
      },
    },
    {
      method: 'GET',
      path: '/clusters/:c/events',
      summary: 'Events after a sequence number; with `Accept: text/event-stream` as a stream that goes on.',
      parameters: [
        clusterParameter,
        { name: 'since', in: 'query', description: 'Number of the last event that is known.', schema: { type: 'integer', minimum: 0 } },
        { name: 'last', in: 'query', description: 'Instead of `since`: so many of the newest.', schema: { type: 'integer', minimum: 1, maximum: 5000 } },
        { name: 'epoch', in: 'query', description: 'Epoch that the number belongs to.', schema: { type: 'string' } },
        { name: 'types', in: 'query', description: 'Topics by commas: `collection.*,load`.', schema: { type: 'string' } },
        { name: 'limit', in: 'query', description: 'At most so many.', schema: { type: 'integer', minimum: 1, maximum: 5000 } },
      ],
      run: async (request, { c }) => events(await open(request, c), request, clock),
    },
    {
      method: 'GET',
      path: '/clusters/:c/gauges',
      summary: 'The newest gauges, or with `keys` their history.',
      parameters: [
        clusterParameter,
        { name: 'keys', in: 'query', description: 'Keys by commas.', schema: { type: 'string' } },
        { name: 'from', in: 'query', description: 'ms since 1970; default 15 minutes ago.', schema: { type: 'integer' } },
        { name: 'step', in: 'query', description: 'ms: the last value of each step stands for it. Default: a second, or a minute for what is older than 15 minutes.', schema: { type: 'integer', minimum: 1000 } },
      ],
      run: async (request, { c }) => gauges(await open(request, c), request.query, clock.now()),
    },
    ...ACTIONS.map(
      (action): Route => ({
        method: 'POST',
        path: `/clusters/:c/actions/${action}`,
        summary: `Asks the cluster to ${action} a collection. Off unless \`insight.actions\` is true.`,
        parameters: [clusterParameter],
        isAction: true,
        run: async (request, { c }) => act(await open(request, c), action, bodyOf(request)),
      }),
    ),
    {
      method: 'POST',
      path: '/clusters/:c/vector-search',
      summary: 'Nearest rows of a collection to a vector.',
      parameters: [clusterParameter],
      run: async (request, { c }) => {
        // Seeing a collection is not the right to read its rows.
        if (request.principal?.mayAct !== true) throw new RestError(403, 'forbidden', 'you may not search here')
        return vectorSearch(await open(request, c), bodyOf(request))
      },
    },
  ]
}

/** What the caller may not see is not counted. */
function countOf(layer: Layer | undefined, kind: Kind, principal: Principal | undefined): number {
  if (layer === undefined || principal === undefined) return 0
  if (principal.mayAct) return layer.count(kind)
  let count = 0
  for (const { key, row } of layer.entities(kind)) if (principal.sees(kind, key, row)) count++
  return count
}

function status(cluster: Cluster, { principal }: RestRequest): Json {
  const counts = Object.fromEntries(KINDS.map((kind) => [kind, countOf(cluster.layer, kind, principal)]))
  return { ...cluster.status(), counts, canAct: cluster.source?.act !== undefined, canSearch: cluster.source?.search !== undefined }
}

function find(clusters: Clusters, id = ''): Cluster {
  const cluster = clusters.get(id)
  if (cluster === undefined) throw new RestError(404, 'unknown-cluster', `no cluster is named ${JSON.stringify(id)}: only configured ones can be asked`)
  return cluster
}

function bodyOf({ body }: RestRequest): Readonly<Record<string, unknown>> {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw new RestError(400, 'bad-body', 'expected a JSON object')
  return body as Readonly<Record<string, unknown>>
}

async function events({ cluster, layer }: { readonly cluster: Cluster; readonly layer: Layer }, request: RestRequest, clock: Clock): Promise<Reply> {
  const { query, identity, header } = request
  if (identity === undefined) throw new RestError(401, 'unauthorized', 'log in first')
  const interest = new Interest(text(query, 'types')?.split(',') ?? ['*'], undefined, identity.principal)
  const resumed = /^(.+)-(\d+)$/.exec(header('last-event-id') ?? '')
  const epoch = resumed?.[1] ?? text(query, 'epoch') ?? interest.epochOf(layer)
  const last = integer(query, 'last', 1, 5000)
  const start = last === undefined ? layer.seq : layer.seq - Math.min(last, layer.ringDepth)
  const since = resumed === null ? (integer(query, 'since', 0, Number.MAX_SAFE_INTEGER) ?? start) : Number(resumed[2])
  if (header('accept')?.includes('text/event-stream') === true) {
    // As long as it is read, the cluster is watched.
    const leave = await cluster.retain()
    return { events: { start: (write, end) => stream({ cluster, layer, leave, interest, identity, clock, write, end }, epoch, since) } }
  }
  const found = sinceFor(interest, layer, epoch, since, integer(query, 'limit', 1, 5000) ?? 1000)
  if (typeof found === 'string') throw new RestError(410, 'outdated', `these events are not kept (${found}): read the lists again, and go on from epoch ${interest.epochOf(layer)}, seq ${layer.seq}`)
  return { status: 200, body: { epoch: interest.epochOf(layer), seq: layer.seq, last: found.at(-1)?.seq ?? since, events: found.filter((event) => interest.wants(event)) } }
}

function sinceFor(interest: Interest, layer: Layer, epoch: string, seq: number, limit?: number): ReturnType<Layer['since']> {
  return epoch === interest.epochOf(layer) ? layer.since(layer.epoch, seq, limit) : 'epoch'
}

interface StreamOptions {
  readonly cluster: Cluster
  readonly layer: Layer
  readonly leave: () => void
  readonly interest: Interest
  readonly identity: Identity
  readonly clock: Clock
  readonly write: (event: { id: string; event?: string; data: string }) => void
  readonly end: () => void
}

/** What was missed, or `reset` where that is lost; then each event as it comes, as long as the reader may read. */
function stream({ cluster, layer, leave, interest, identity, clock, write, end }: StreamOptions, epoch: string, since: number): () => void {
  let rights = identity.principal.rights?.()
  const place = (): string => eventId(interest.epochOf(layer), layer)
  const reset = (reason: string): void => write({ id: place(), event: 'reset', data: JSON.stringify({ epoch: interest.epochOf(layer), seq: layer.seq, reason }) })
  const isAllowed = (): boolean => {
    // Of a layer that was stopped nothing more comes: the reader asks again, and goes on in the next one.
    if (!identity.holds() || cluster.layer !== layer) {
      end()
      return false
    }
    const now = identity.principal.rights?.()
    if (now !== rights) reset('rights')
    rights = now
    return true
  }
  const tell = (event: InsightEvent): void => {
    if (isAllowed() && interest.wants(event)) write({ id: eventId(interest.epochOf(layer), event), event: event.type, data: textOf(event) })
  }
  const missed = sinceFor(interest, layer, epoch, since)
  if (typeof missed === 'string') reset(missed)
  else missed.forEach(tell)
  // A bookmark: the reader's place moves over what it did not want, so that a later resume finds it.
  let cancel = (): void => undefined
  const mark = (): void => {
    cancel = clock.setTimer(() => {
      if (!isAllowed()) return
      write({ id: place(), event: 'mark', data: JSON.stringify({ seq: layer.seq, ts: clock.now() }) })
      mark()
    }, MARK_MS)
  }
  mark()
  const stopListening = layer.listen(tell)
  return () => {
    cancel()
    stopListening()
    leave()
  }
}

function gauges({ layer }: { readonly layer: Layer }, query: URLSearchParams, now: number): Reply {
  const keys = text(query, 'keys')?.split(',').slice(0, 100)
  if (keys === undefined) return { status: 200, body: { gauges: [...layer.gauges.latest()].map(([key, [ts, value]]) => [key, ts, value]) } }
  const from = integer(query, 'from', 0, Number.MAX_SAFE_INTEGER) ?? now - 900_000
  const step = integer(query, 'step', 1000, 86_400_000) ?? 1000
  return { status: 200, body: { series: Object.fromEntries(keys.map((key) => [key, thinned(layer.gauges.history(key, from, now), step)])) } }
}

function thinned(samples: readonly GaugeSample[], step: number): readonly GaugeSample[] {
  const last = new Map(samples.map(([ts, value]) => [Math.floor(ts / step), [Math.floor(ts / step) * step, value] as const]))
  return [...last.values()]
}

async function act({ cluster, layer }: { readonly cluster: Cluster; readonly layer: Layer }, action: ActionName, { db, collection, confirm }: Readonly<Record<string, unknown>>): Promise<Reply> {
  const { source } = cluster
  if (source?.act === undefined) throw new RestError(501, 'unsupported', 'this cluster cannot be asked to do anything')
  if (typeof collection !== 'string' || collection === '' || typeof (db ?? 'default') !== 'string') throw new RestError(400, 'bad-body', 'expected `db` and `collection` to be names')
  if (action === 'drop' && confirm !== collection) throw new RestError(400, 'unconfirmed', 'expected `confirm` to be the name of the collection')
  await source.act(action, { db: typeof db === 'string' ? db : 'default', collection })
  await cluster.refresh()
  return { status: 200, body: { epoch: layer.epoch, seq: layer.seq } }
}

async function vectorSearch({ cluster, layer }: { readonly cluster: Cluster; readonly layer: Layer }, body: Readonly<Record<string, unknown>>): Promise<Reply> {
  const { source } = cluster
  if (source?.search === undefined) throw new RestError(501, 'unsupported', 'this cluster cannot be searched from here')
  const { db = 'default', collection, field, vector, filter, limit = 10 } = body
  const isVector = Array.isArray(vector) && vector.length > 0 && vector.length <= 32_768 && vector.every((value) => typeof value === 'number' && Number.isFinite(value))
  if (typeof collection !== 'string' || typeof db !== 'string') throw new RestError(400, 'bad-body', 'expected `db` and `collection` to be names')
  if (!isVector && typeof vector !== 'string') throw new RestError(400, 'bad-body', 'expected `vector` to be a list of 1 to 32768 numbers, or the key of a row')
  if (!Number.isInteger(limit) || (limit as number) < 1 || (limit as number) > 100) throw new RestError(400, 'bad-body', 'expected `limit` to be an integer in 1..100')
  const query: VectorQuery = {
    db,
    collection,
    vector: vector as VectorQuery['vector'],
    limit: limit as number,
    ...(typeof field === 'string' && field !== '' ? { field } : {}),
    ...(typeof filter === 'string' && filter !== '' ? { filter } : {}),
  }
  try {
    const found = await source.search(query)
    return { status: 200, body: { ...found, rows: withShortFloats(found.rows, layer, db, collection) } }
  } catch (error) {
    throw new RestError(422, 'refused', error instanceof Error ? error.message : String(error))
  }
}
