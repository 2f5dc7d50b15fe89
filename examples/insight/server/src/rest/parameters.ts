/** Query parameters: read, checked, described. */
import { KINDS, type Kind } from '../core/model.ts'
import { MAX_LIMIT } from '../core/query.ts'
import { RestError, type Parameter } from './route.ts'

export const clusterParameter: Parameter = { name: 'c', in: 'path', description: 'Name of a configured cluster.', schema: { type: 'string' } }

export const listParameters: readonly Parameter[] = [
  { name: 'q', in: 'query', description: 'Part of a name or id, in any case; plain text.', schema: { type: 'string', maxLength: 256 } },
  { name: 'db', in: 'query', description: 'Only this database.', schema: { type: 'string' } },
  { name: 'collection', in: 'query', description: 'Only what belongs to the collection with this id.', schema: { type: 'string' } },
  { name: 'state', in: 'query', description: 'Only this state, or state of load.', schema: { type: 'string' } },
  { name: 'sort', in: 'query', description: 'Member to sort by, as a path: `stats.rows`.', schema: { type: 'string', default: 'name' } },
  { name: 'order', in: 'query', description: 'Direction.', schema: { type: 'string', enum: ['asc', 'desc'], default: 'asc' } },
  { name: 'limit', in: 'query', description: 'Rows of a page.', schema: { type: 'integer', minimum: 1, maximum: MAX_LIMIT, default: 50 } },
  { name: 'cursor', in: 'query', description: 'The `next` of the page before.', schema: { type: 'string' } },
  { name: 'fields', in: 'query', description: 'Members of a row to give, by commas; all without it.', schema: { type: 'string' } },
]

/** Path segments of the kinds. */
export const LISTS: Readonly<Record<string, Kind>> = {
  databases: 'database',
  collections: 'collection',
  aliases: 'alias',
  partitions: 'partition',
  indexes: 'index',
  segments: 'segment',
  channels: 'channel',
  nodes: 'node',
  watchdogs: 'watchdog',
  streams: 'stream',
  tasks: 'task',
  clients: 'client',
  'slow-requests': 'slowRequest',
  params: 'param',
  tso: 'tso',
}

if (Object.keys(LISTS).length !== KINDS.length) throw new Error('every kind has a list')

export function integer(query: URLSearchParams, name: string, min: number, max: number): number | undefined {
  const text = query.get(name)
  if (text === null || text === '') return undefined
  const value = Number(text)
  if (!Number.isInteger(value) || value < min || value > max) throw new RestError(400, 'bad-query', `expected \`${name}\` to be an integer in ${min}..${max}, got ${JSON.stringify(text)}`)
  return value
}

export function oneOf<T extends string>(query: URLSearchParams, name: string, values: readonly T[]): T | undefined {
  const text = query.get(name)
  if (text === null || text === '') return undefined
  const found = values.find((value) => value === text)
  if (found === undefined) throw new RestError(400, 'bad-query', `expected \`${name}\` to be ${values.join(' or ')}, got ${JSON.stringify(text)}`)
  return found
}

export const text = (query: URLSearchParams, name: string): string | undefined => query.get(name) ?? undefined
