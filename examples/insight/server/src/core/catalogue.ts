/** The catalogue of events: which fact a change of a row is. */
import { KINDS, type Json, type Kind, type Row } from './model.ts'

export interface KindRule {
  readonly created: string
  readonly updated: string
  readonly dropped: string
  /** Members of a row whose change is a fact of its own. */
  readonly groups?: Readonly<Record<string, GroupRule>> | undefined
  /** The member `state` moves by events of this type, with `from` and `to`. */
  readonly state?: string | undefined
  /** Members that change with it, and are told with it. */
  readonly stateWith?: readonly string[] | undefined
  /** The type of a change of `name`, with `from` and `to`. */
  readonly renamed?: string | undefined
  /** Rows whose member `type` is one of these give it to their events: `compaction.started`, `compaction.finished`. */
  readonly own?: readonly string[] | undefined
}

export interface GroupRule {
  readonly type: string
  /** No more than one such event per entity in that time. The last value is never lost, only late. */
  readonly minIntervalMs?: number | undefined
}

const plain = (kind: string): KindRule => ({ created: `${kind}.created`, updated: `${kind}.updated`, dropped: `${kind}.dropped` })

export const CATALOGUE: Readonly<Record<Kind, KindRule>> = {
  database: plain('database'),
  collection: {
    ...plain('collection'),
    renamed: 'collection.renamed',
    groups: {
      load: { type: 'load.changed' },
      stats: { type: 'collection.stats', minIntervalMs: 1000 },
      truncatedTs: { type: 'collection.truncated' },
    },
  },
  alias: { ...plain('alias'), updated: 'alias.altered' },
  partition: { ...plain('partition'), groups: { stats: { type: 'partition.stats', minIntervalMs: 1000 } } },
  index: { ...plain('index'), groups: { progress: { type: 'index.progress', minIntervalMs: 250 } } },
  segment: plain('segment'),
  channel: { created: 'channel.assigned', updated: 'channel.assigned', dropped: 'channel.released', groups: { checkpoint: { type: 'channel.checkpoint', minIntervalMs: 5000 } }, state: 'timetick.state', stateWith: ['lagMs', 'thresholdMs'] },
  node: { created: 'node.joined', updated: 'node.updated', dropped: 'node.left', state: 'node.state' },
  watchdog: { created: 'watchdog.registered', updated: 'watchdog.updated', dropped: 'watchdog.released', state: 'watchdog.state' },
  stream: { ...plain('stream'), state: 'timetick.state', stateWith: ['lagMs', 'thresholdMs'] },
  task: { created: 'task.started', updated: 'task.progress', dropped: 'task.forgotten', state: 'task.state', own: ['flush', 'compaction', 'import'] },
  client: { created: 'client.connected', updated: 'client.active', dropped: 'client.gone', groups: { staged: { type: 'client.staged', minIntervalMs: 1000 } } },
  slowRequest: { created: 'slowRequest', updated: 'slowRequest.updated', dropped: 'slowRequest.forgotten' },
  param: { created: 'param.seen', updated: 'param.changed', dropped: 'param.removed' },
  tso: { ...plain('tso'), groups: { anomaly: { type: 'tso.anomaly' } } },
}

/** The types of a kind's rows with a name of their own, by what happens to them. */
const ownTypes = (what: string) => Object.values(CATALOGUE).flatMap(({ own }) => (own ?? []).map((name) => `${name}.${what}`))

/** How such a row's task may end. */
const ENDS: readonly string[] = ['finished', 'failed']

/** The type of an event of a row, for those rows that name it. */
export function typeOf(rule: KindRule, row: Row, what: 'created' | 'updated' | 'dropped' | 'state', to?: Json): string {
  const name = rule.own?.find((one) => one === row['type'])
  if (name === undefined) return rule[what] ?? rule.updated
  if (what === 'state') return typeof to === 'string' && ENDS.includes(to) ? `${name}.${to}` : `${name}.state`
  return `${name}.${{ created: 'started', updated: 'progress', dropped: 'forgotten' }[what]}`
}

const CREATED = new Set([...Object.values(CATALOGUE).map(({ created }) => created), ...ownTypes('started')])
const DROPPED = new Set([...Object.values(CATALOGUE).map(({ dropped }) => dropped), ...ownTypes('forgotten')])
const STATES = new Set([...Object.values(CATALOGUE).flatMap(({ state }) => state ?? []), ...['state', ...ENDS].flatMap(ownTypes)])
const RENAMED = new Set(Object.values(CATALOGUE).flatMap(({ renamed }) => renamed ?? []))

/** What an event does to its row. Some types both make and change a row (`channel.assigned`): those say so by `changed`. */
export function effectOf(type: string, isChange: boolean): 'set' | 'drop' | 'state' | 'name' | 'patch' {
  if (DROPPED.has(type)) return 'drop'
  if (STATES.has(type)) return 'state'
  if (RENAMED.has(type)) return 'name'
  return CREATED.has(type) && !isChange ? 'set' : 'patch'
}

/** The types that a kind's rows have. */
export function typesOf(kind: Kind): string[] {
  const { created, updated, dropped, state, renamed, groups, own } = CATALOGUE[kind]
  const named = (own ?? []).flatMap((name) => ['started', 'progress', 'forgotten', 'state', ...ENDS].map((what) => `${name}.${what}`))
  return [created, updated, dropped, state, renamed, ...Object.values(groups ?? {}).map(({ type }) => type), ...named].filter((type) => type !== undefined)
}

/** Every type that a client may meet. */
export const EVENT_TYPES: readonly string[] = [
  ...new Set(KINDS.flatMap(typesOf)),
  'source.state',
  'cache.created',
  'cache.opened',
  'cache.checkpointed',
  'cache.reset',
]
