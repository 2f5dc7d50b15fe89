/** The JSON Schema of events, which ships: the envelope, and what the data of each type holds. */
import { effectOf, EVENT_TYPES, typesOf } from '../core/catalogue.ts'
import { isKind, KINDS, type Json } from '../core/model.ts'

type Form = 'text' | 'int64' | 'number' | 'bool' | 'object' | 'list'

const FORMS: Readonly<Record<Form, Json>> = {
  text: { type: ['string', 'null'] },
  int64: { type: ['string', 'null'], description: 'a decimal: 64 bits' },
  number: { type: ['number', 'null'] },
  bool: { type: ['boolean', 'null'] },
  object: { type: ['object', 'null'] },
  list: { type: ['array', 'null'] },
}

/** Members of rows by kind. A patch has some of them, `null` for one that went. Others may come: readers ignore what they do not know. */
const ROWS: Readonly<Record<string, Readonly<Record<string, Form>>>> = {
  database: { id: 'text', name: 'text', properties: 'object', collectionCount: 'number', createdTs: 'int64' },
  collection: { id: 'int64', db: 'text', name: 'text', description: 'text', shards: 'number', consistency: 'text', dynamicField: 'bool', fields: 'list', properties: 'object', createdTs: 'int64', updatedTs: 'int64', truncatedTs: 'int64', load: 'object', stats: 'object', indexState: 'text' },
  alias: { id: 'text', name: 'text', alias: 'text', db: 'text', collId: 'int64' },
  partition: { id: 'int64', name: 'text', db: 'text', collId: 'int64', createdTs: 'int64', stats: 'object' },
  index: { id: 'text', name: 'text', db: 'text', collId: 'int64', field: 'text', indexType: 'text', metric: 'text', params: 'object', progress: 'object' },
  segment: { id: 'int64', name: 'text', db: 'text', collId: 'int64', partId: 'int64', channel: 'text', level: 'text', state: 'text', rows: 'int64', bytes: 'int64', startPos: 'int64', dmlPos: 'int64' },
  channel: { id: 'text', name: 'text', db: 'text', collId: 'int64', pchannel: 'text', checkpoint: 'object', state: 'text', lagMs: 'number', thresholdMs: 'number' },
  node: { id: 'text', name: 'text', role: 'text', address: 'text', version: 'text', state: 'text', startedAt: 'number', resourceGroup: 'text', replicas: 'number', expected: 'number', living: 'number' },
  watchdog: { id: 'text', name: 'text', target: 'text', state: 'text', status: 'text', restarts: 'number' },
  stream: { id: 'text', name: 'text', state: 'text', readers: 'list', checkpoint: 'object', lagMs: 'number', thresholdMs: 'number' },
  task: { id: 'text', name: 'text', type: 'text', state: 'text', db: 'text', collId: 'int64', collection: 'text', percent: 'number', reason: 'text', startedAt: 'number', endedAt: 'number', inputs: 'list', outputs: 'list' },
  client: { id: 'text', name: 'text', identifier: 'text', kind: 'text', sdk: 'text', version: 'text', user: 'text', host: 'text', sockets: 'number', connectedAt: 'number', lastActive: 'number', staged: 'object' },
  slowRequest: { id: 'text', name: 'text', method: 'text', db: 'text', coll: 'text', durMs: 'number', ts: 'number', failed: 'bool', user: 'text', clientId: 'text', peer: 'text', traceId: 'text' },
  param: { id: 'text', name: 'text', value: 'text', source: 'text' },
  tso: { id: 'text', name: 'text', anomaly: 'object' },
  source: { from: 'text', to: 'text', error: 'text', lastOkTs: 'number' },
  cache: { layer: 'text', epoch: 'text', rows: 'number', durationMs: 'number', reason: 'text' },
}

function dataOf(kind: string, type: string): Json {
  const effect = kind === 'source' || kind === 'cache' ? 'patch' : effectOf(type, false)
  const members = ROWS[kind] ?? {}
  if (effect === 'state' || effect === 'name') return { type: 'object', required: ['from', 'to'], properties: { from: { type: ['string', 'number', 'boolean', 'object', 'array', 'null'] }, to: {}, reason: {}, lagMs: FORMS.number, thresholdMs: FORMS.number } }
  if (effect === 'drop') return { type: 'object', properties: { name: FORMS.text, id: FORMS.text }, additionalProperties: false }
  return { type: 'object', properties: Object.fromEntries(Object.entries(members).map(([name, form]) => [name, FORMS[form]])) }
}

const typesFor = (kind: string): readonly string[] => (isKind(kind) ? typesOf(kind) : EVENT_TYPES.filter((type) => type.startsWith(`${kind}.`)))

export function eventSchema(): Json {
  const kinds = [...KINDS, 'source', 'cache']
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'InsightEvent',
    type: 'object',
    required: ['seq', 'ts', 'type', 'kind', 'key', 'rev', 'src', 'data'],
    properties: {
      seq: { type: 'integer', minimum: 1 },
      ts: { type: 'number', description: 'ms since 1970' },
      type: { enum: [...EVENT_TYPES] },
      kind: { enum: kinds },
      key: { type: 'string', minLength: 1 },
      rev: { type: 'integer', minimum: 1 },
      src: { enum: ['push', 'poll'] },
      data: { type: 'object', description: 'The whole row when it appears, a merge patch (RFC 7396) when it changes, from and to when a state or name moves, its name when it goes. 64 bit numbers are decimal strings.' },
      changed: { type: 'array', items: { type: 'string' }, minItems: 1 },
    },
    allOf: kinds.flatMap((kind) => typesFor(kind).map((type) => ({ anyOf: [{ not: { properties: { kind: { const: kind }, type: { const: type } } } }, { properties: { data: dataOf(kind, type) } }] }))),
  }
}
