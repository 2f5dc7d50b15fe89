/** What the page shows, as signals. */
import { computed, effect, signal, untracked } from '@preact/signals'
import { ApiError, call, type ClusterStatus, type Listed, type Row } from './api.ts'
import { Connection, type Link, type Message } from './connection.ts'
import { after, every, now } from './edge.ts'
import { at } from './format.ts'
import { KeptRows, type Change, type Rows } from './kept-rows.ts'

export interface FeedItem {
  readonly seq: number
  readonly ts: number
  readonly type: string
  readonly key: string
  readonly data: Row
}

const params = new URLSearchParams(location.search)
export const link = signal<Link>('connecting')
export const time = signal(now())
export const clusters = signal<readonly ClusterStatus[]>([])
export const clusterId = signal(params.get('cluster') ?? '')
export const failure = signal<string | undefined>(undefined)
export const needsLogin = signal(false)

/** The list of collections as it is asked for; kept in the address. */
export const search = signal(params.get('q') ?? '')
export const database = signal(params.get('db') ?? '')
export const state = signal(params.get('state') ?? '')
export const sort = signal(params.get('sort') ?? 'name')
export const order = signal<'asc' | 'desc'>(params.get('order') === 'desc' ? 'desc' : 'asc')
export const cursors = signal<readonly string[]>([])
export const selected = signal(params.get('collection') ?? '')

export const rows = signal<readonly Listed[]>([])
export const total = signal(0)
export const next = signal<string | null>(null)
/** How many rows came or went since the page was read; the list stands still until it is asked for. */
export const news = signal(0)
export const isListed = signal(false)

/** Small kinds are kept whole, by `kind` and key. */
export const small = signal<Rows>(new Map())
export const feed = signal<readonly FeedItem[]>([])
export const isFeedPaused = signal(false)
export const gauges = signal<ReadonlyMap<string, readonly [number, number]>>(new Map())
export const history = new Map<string, [number, number][]>()

export const cluster = computed(() => clusters.value.find(({ id }) => id === clusterId.value))
export const totalRows = computed(() => rows.value.reduce((sum, { row }) => sum + Number(at(row, 'stats.rows') ?? 0), 0))

const FEED_LENGTH = 300
const HISTORY_MS = 15 * 60_000
const COUNT_MS = 2000
const RETRY_MS = 2000
const SMALL_TOPICS = ['database', 'node', 'watchdog', 'client', 'task', 'stream', 'slowRequest', 'source', 'tso']

const connection = new Connection(
  (value) => {
    link.value = value
    if (value === 'refused') needsLogin.value = true
  },
  () => {
    void refreshClusters()
    resumeFeed()
  },
)

let refreshes = 0
let shown = 0

export async function refreshClusters(): Promise<void> {
  const mine = ++refreshes
  try {
    const { clusters: list } = await call<{ clusters: readonly ClusterStatus[] }>('/clusters')
    // Answers may overtake each other: an older one is not taken for what is now.
    if (mine < shown) return
    shown = mine
    clusters.value = list
    failure.value = undefined
    needsLogin.value = false
    if (!list.some(({ id }) => id === clusterId.value)) clusterId.value = list[0]?.id ?? ''
  } catch (error) {
    if (error instanceof ApiError && error.status === 401) needsLogin.value = true
    else failure.value = error instanceof Error ? error.message : String(error)
  }
}

let isRefreshDue = false

/** Counts of what came and went: after whatever happened, and not with each of many events. */
function refreshSoon(): void {
  if (isRefreshDue) return
  isRefreshDue = true
  after(COUNT_MS, () => {
    isRefreshDue = false
    if (document.visibilityState === 'visible') void refreshClusters()
  })
}

/** What still comes for a wish that was left is nobody's: a late word of one cluster is not taken for another's. */
const newId = (what: string): string => `${what}${++asked}`
let asked = 0

/** Reads the list again, from its first page unless told otherwise. */
export function relist(): void {
  leaveList()
  if (clusterId.value === '') return
  news.value = 0
  const wish = {
    t: 'view' as const,
    id: newId('list'),
    cluster: clusterId.value,
    kind: 'collection',
    q: search.value,
    filter: { ...(database.value === '' ? {} : { db: database.value }), ...(state.value === '' ? {} : { state: state.value }) },
    sort: sort.value,
    order: order.value,
    limit: 100,
    ...(cursors.value.length === 0 ? {} : { cursor: cursors.value.at(-1) }),
  }
  leaveList = connection.follow(wish, listed)
}
let leaveList = (): void => undefined

function listed(message: Message): void {
  const patch = message as unknown as { rows: readonly Listed[]; gone: readonly string[]; total: number; next: string | null; added: number; removed: number }
  if (message.t === 'page') {
    rows.value = patch.rows
    total.value = patch.total
    next.value = patch.next
    news.value = 0
    isListed.value = true
  } else if (message.t === 'patch') {
    const newer = new Map(patch.rows.map((row) => [row.key, row]))
    rows.value = rows.value.filter(({ key }) => !patch.gone.includes(key)).map((row) => newer.get(row.key) ?? row)
  } else if (message.t === 'dirty') {
    total.value = patch.total
    // Nothing jumps under the reader's eyes: an empty list alone is filled at once.
    if (rows.value.length === 0) relist()
    else news.value = Math.max(patch.added + patch.removed, 1)
  } else if (message.t === 'err') failure.value = String(message['msg'])
}

/** Everything about another cluster goes; what is asked for is asked again. */
function follow(id: string): void {
  for (const leave of leaves.splice(0)) leave()
  small.value = new Map()
  feed.value = []
  gauges.value = new Map()
  history.clear()
  rows.value = []
  isListed.value = false
  if (id === '') return
  const kept = new KeptRows()
  leaves.push(
    connection.follow(
      { t: 'sub', id: newId('small'), cluster: id, topics: SMALL_TOPICS },
      (message) => {
        kept.receive(message)
        small.value = kept.rows
        if (message.t === 'err') failure.value = String(message['msg'])
        if (message.t === 'ev' && (message['e'] as readonly Change[]).some(({ kind }) => kind === 'source')) void refreshClusters()
      },
      () => kept.resume(),
    ),
    followGauges(id),
  )
  leaves.push(followFeed(id))
  cursors.value = []
  relist()
}
const leaves: (() => void)[] = []

/** Numbers come while somebody looks: a tab in the background wants none. */
function followGauges(id: string): () => void {
  let leave = (): void => undefined
  const follow = (): void => {
    leave()
    leave = document.visibilityState === 'hidden' ? () => undefined : connection.follow({ t: 'gauges', id: newId('gauges'), cluster: id }, measured)
  }
  follow()
  document.addEventListener('visibilitychange', follow)
  return () => {
    document.removeEventListener('visibilitychange', follow)
    leave()
  }
}

function measured(message: Message): void {
  if (message.t !== 'g') return
  const latest = new Map(gauges.value)
  for (const [key, ts, value] of message['v'] as [string, number, number][]) {
    latest.set(key, [ts, value])
    const line = history.get(key) ?? []
    line.push([ts, value])
    while ((line[0]?.[0] ?? ts) < ts - HISTORY_MS) line.shift()
    history.set(key, line)
  }
  gauges.value = latest
}

/** The newest facts of all kinds: no rows are wanted, so it starts where the cluster is now. */
function followFeed(id: string): () => void {
  let leave = (): void => undefined
  let isLeft = false
  const begin = async (): Promise<void> => {
    resumeFeed = () => undefined
    try {
      const { epoch, seq, events } = await call<{ epoch: string; seq: number; events: readonly FeedItem[] }>(`/clusters/${encodeURIComponent(id)}/events?last=${FEED_LENGTH}`)
      if (isLeft) return
      feed.value = events.slice(-FEED_LENGTH).toReversed()
      const position = { epoch, seq }
      leave = connection.follow(
        { t: 'sub', id: newId('feed'), cluster: id, topics: ['*'] },
        (message) => {
          // What was told under other rights may not be shown any more.
          if (message.t === 'reset' && message['reason'] === 'rights') feed.value = []
          if (message.t === 'live') Object.assign(position, { epoch: message['epoch'], seq: message['seq'] })
          if (message.t === 'mark') position.seq = Number(message['seq'])
          if (message.t !== 'ev') return
          const events = message['e'] as FeedItem[]
          position.seq = events.at(-1)?.seq ?? position.seq
          refreshSoon()
          if (!isFeedPaused.value) feed.value = [...events.toReversed(), ...feed.value].slice(0, FEED_LENGTH)
        },
        () => position,
      )
    } catch (error) {
      if (isLeft) return
      // Not let in, or cut off: again when the connection is there. Else soon.
      resumeFeed = () => void begin()
      if (error instanceof ApiError && error.status === 401) return
      failure.value = error instanceof Error ? error.message : String(error)
      if (link.value === 'open') after(RETRY_MS, () => resumeFeed())
    }
  }
  void begin()
  return () => {
    isLeft = true
    resumeFeed = () => undefined
    leave()
  }
}
let resumeFeed = (): void => undefined

export function startStore(): void {
  connection.open()
  every(1000, () => {
    if (document.visibilityState === 'visible') time.value = now()
  })
  effect(() => {
    const id = clusterId.value
    untracked(() => follow(id))
  })
  effect(() => {
    const query = new URLSearchParams()
    for (const [name, value, usual] of [['cluster', clusterId.value, ''], ['q', search.value, ''], ['db', database.value, ''], ['state', state.value, ''], ['sort', sort.value, 'name'], ['order', order.value, 'asc'], ['collection', selected.value, '']] as const) {
      if (value !== usual) query.set(name, value)
    }
    globalThis.history.replaceState(null, '', query.size === 0 ? location.pathname : `?${query.toString()}`)
  })
}

/** After a login the page starts again with its token. */
export function reconnect(): void {
  needsLogin.value = false
  void refreshClusters()
  connection.open()
}
