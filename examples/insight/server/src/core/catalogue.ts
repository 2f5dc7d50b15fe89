/** The catalogue of events: which fact a change of a row is. */
import type { Kind } from './model.ts'

export interface KindRule {
  readonly created: string
  readonly updated: string
  readonly dropped: string
  /** Members of a row whose change is a fact of its own. */
  readonly groups?: Readonly<Record<string, GroupRule>> | undefined
  /** The member `state` moves by events of this type, with `from` and `to`. */
  readonly state?: string | undefined
  /** The type of a change of `name`, with `from` and `to`. */
  readonly renamed?: string | undefined
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
  channel: { created: 'channel.assigned', updated: 'channel.assigned', dropped: 'channel.released', groups: { checkpoint: { type: 'channel.checkpoint', minIntervalMs: 5000 } }, state: 'timetick.state' },
  node: { created: 'node.joined', updated: 'node.updated', dropped: 'node.left', state: 'node.state' },
  watchdog: { created: 'watchdog.registered', updated: 'watchdog.updated', dropped: 'watchdog.released', state: 'watchdog.state' },
  stream: plain('stream'),
  task: { created: 'task.started', updated: 'task.progress', dropped: 'task.forgotten', state: 'task.state' },
  client: { created: 'client.connected', updated: 'client.active', dropped: 'client.gone', groups: { staged: { type: 'client.staged', minIntervalMs: 1000 } } },
  slowRequest: { created: 'slowRequest', updated: 'slowRequest.updated', dropped: 'slowRequest.forgotten' },
  param: { created: 'param.seen', updated: 'param.changed', dropped: 'param.removed' },
}

const CREATED = new Set(Object.values(CATALOGUE).map(({ created }) => created))
const DROPPED = new Set(Object.values(CATALOGUE).map(({ dropped }) => dropped))
const STATES = new Set(Object.values(CATALOGUE).flatMap(({ state }) => state ?? []))
const RENAMED = new Set(Object.values(CATALOGUE).flatMap(({ renamed }) => renamed ?? []))

/** What an event does to its row. Some types both make and change a row (`channel.assigned`): those say so by `changed`. */
export function effectOf(type: string, isChange: boolean): 'set' | 'drop' | 'state' | 'name' | 'patch' {
  if (DROPPED.has(type)) return 'drop'
  if (STATES.has(type)) return 'state'
  if (RENAMED.has(type)) return 'name'
  return CREATED.has(type) && !isChange ? 'set' : 'patch'
}

/** Every type that a client may meet. */
export const EVENT_TYPES: readonly string[] = [
  ...new Set(Object.values(CATALOGUE).flatMap((rule) => [rule.created, rule.updated, rule.dropped, rule.state, rule.renamed, ...Object.values(rule.groups ?? {}).map(({ type }) => type)])),
  'source.state',
  'cache.created',
  'cache.opened',
  'cache.checkpointed',
  'cache.reset',
].filter((type) => type !== undefined)
