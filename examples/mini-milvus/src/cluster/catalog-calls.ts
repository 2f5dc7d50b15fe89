/** Calls of the catalog by name: which there are, and how those that take a function cross a border between processes. */
import { positionFromJson, type MsgPositionJson } from '@timetick/msgstream'
import type { CatalogWriter, FunctionPlan, SegmentWriter } from '../coordinator/api.ts'
import type { Catalog } from '../coordinator/catalog.ts'
import { encodeMeta } from '../model/meta.ts'
import type { FunctionMeta } from '../model/functions.ts'
import type { CollectionSchema } from '../model/schema.ts'
import { RpcError } from '../internal/errors.ts'

/** Of proxies. `made`: what was not there before; nobody can have an older idea of it. */
export const WRITES: { readonly [Name in keyof CatalogWriter]: 'made' | 'changed' } = {
  createDatabase: 'made',
  dropDatabase: 'changed',
  alterDatabase: 'changed',
  createCollection: 'made',
  dropCollection: 'changed',
  renameCollection: 'changed',
  alterCollection: 'changed',
  alterField: 'changed',
  addField: 'changed',
  addFields: 'changed',
  addStruct: 'changed',
  changeFunctions: 'changed',
  truncateCollection: 'changed',
  createPartition: 'made',
  dropPartition: 'changed',
  createAlias: 'made',
  alterAlias: 'changed',
  dropAlias: 'changed',
  createIndex: 'made',
  alterIndex: 'changed',
  dropIndex: 'changed',
  loadCollection: 'made',
  loadPartitions: 'made',
  releaseCollection: 'changed',
  releasePartitions: 'changed',
}

/** Of data nodes, about the rows of channels that they own. Each may be repeated. */
export const REPORTS: readonly Exclude<keyof SegmentWriter, 'checkpoint'>[] = ['saveFlush', 'saveSegmentIndex', 'replaceSegments', 'saveCheckpoint']

/** A plan's answer for one schema, computed by who has the plan; or the question for the schema, where it has not seen it yet. */
export interface PlanAnswer {
  readonly $plan: true
  /** The schema that the answer is for, as text; '' asks for it. */
  readonly schema: string
  readonly functions: readonly FunctionMeta[]
}

/** The plan's schema has to be seen first, or has changed: nothing was done. */
class SchemaWanted extends Error {
  readonly schema: CollectionSchema

  constructor(schema: CollectionSchema) {
    super('the schema is wanted')
    this.schema = schema
  }
}

export interface CallOutcome {
  readonly value?: unknown
  /** Of a call with a plan: the schema that its answer must be for. Nothing was done. */
  readonly schema?: CollectionSchema | undefined
}

function isPlan(value: unknown): value is PlanAnswer {
  return typeof value === 'object' && value !== null && '$plan' in value
}

export async function runCatalogCall(catalog: Catalog, method: string, args: readonly unknown[]): Promise<CallOutcome> {
  if (!Object.hasOwn(WRITES, method) && !(REPORTS as readonly string[]).includes(method)) {
    throw new RpcError('RPC_UNKNOWN_METHOD', `the catalog has no ${method.slice(0, 100)}`, { outcome: 'not-applied' })
  }
  if (method === 'saveCheckpoint') return saveCheckpoint(catalog, args)
  const given = args.map((arg) => (isPlan(arg) ? planOf(arg) : arg))
  try {
    const run = catalog[method as keyof CatalogWriter] as unknown as (...values: readonly unknown[]) => Promise<unknown>
    return { value: await run.apply(catalog, given) }
  } catch (error) {
    if (error instanceof SchemaWanted) return { schema: error.schema }
    throw error
  }
}

/** A report that was overtaken on its way, by itself when it was sent again: the log may be cut behind it by now. */
async function saveCheckpoint(catalog: Catalog, [pchannel, position]: readonly unknown[]): Promise<CallOutcome> {
  if (typeof pchannel !== 'string' || typeof position !== 'string') throw new RpcError('RPC_MALFORMED', 'expected a checkpoint to be a channel and a position', { outcome: 'not-applied' })
  const at = timeOf(position)
  // A later one may be stored whose answer was lost: that is known in this one's turn only.
  await catalog.saveCheckpoint(pchannel, position, (present) => present !== undefined && at < timeOf(present))
  return {}
}

function timeOf(position: string): bigint {
  return positionFromJson(JSON.parse(position) as MsgPositionJson).timestamp
}

function planOf(answer: PlanAnswer): FunctionPlan {
  return (schema) => {
    if (encodeMeta(schema) !== answer.schema) throw new SchemaWanted(schema)
    return answer.functions
  }
}

export function answerPlan(plan: FunctionPlan, schema: CollectionSchema | undefined): PlanAnswer {
  return schema === undefined ? { $plan: true, schema: '', functions: [] } : { $plan: true, schema: encodeMeta(schema), functions: plan(schema) }
}
