/** The members of REST v1 and v2 bodies: a name means the same in every route, so its schema is written once. */

/** JSON Schema 2020-12, as OpenAPI 3.1 takes it. */
export interface JsonSchema {
  readonly type?: string | readonly string[] | undefined
  readonly description?: string | undefined
  readonly items?: JsonSchema | undefined
  readonly properties?: Readonly<Record<string, JsonSchema>> | undefined
  readonly additionalProperties?: boolean | JsonSchema | undefined
  readonly required?: readonly string[] | undefined
  readonly enum?: readonly (string | number)[] | undefined
  readonly default?: string | number | boolean | undefined
  readonly minimum?: number | undefined
  readonly maximum?: number | undefined
  readonly format?: string | undefined
  readonly contentEncoding?: string | undefined
  readonly $ref?: string | undefined
}

export const text = (description: string): JsonSchema => ({ type: 'string', description })
const texts = (description: string): JsonSchema => ({ type: 'array', items: { type: 'string' }, description })
const flag = (description: string): JsonSchema => ({ type: 'boolean', description })
const integer = (description: string, fallback?: number): JsonSchema => ({ type: 'integer', description, default: fallback })
const object = (description: string): JsonSchema => ({ type: 'object', additionalProperties: true, description })
const objects = (description: string): JsonSchema => ({ type: 'array', items: { type: 'object', additionalProperties: true }, description })

/** An int64 is a JSON number or its decimal text: JavaScript's numbers end at 2^53. */
export const int64Schema: JsonSchema = { type: ['integer', 'string'], format: 'int64', description: 'A 64-bit integer, as a number or as decimal text.' }

export const members = {
  dbName: text('Database; the header DB-Name stands in for it. Default: default.'),
  collectionName: text('Collection or alias.'),
  newCollectionName: text('The name that the collection gets.'),
  newDbName: text('The database that it moves to.'),
  description: text('What it is for.'),
  partitionName: text('Partition.'),
  partitionNames: texts('Partitions; none means all.'),
  aliasName: text('Alias.'),
  indexName: text('Index.'),
  fieldName: text('Field.'),
  dimension: integer('Quick mode: dimensions of the vector.'),
  metricType: text('L2, IP or COSINE; HAMMING or JACCARD for binary vectors; BM25 for functions.'),
  idType: text('Quick mode: Int64 or VarChar.'),
  autoID: flag('Whether the server makes the primary keys.'),
  primaryFieldName: text('Quick mode: name of the primary key. Default: id.'),
  primaryField: text('Name of the primary key. Default: id.'),
  vectorFieldName: text('Quick mode: name of the vector. Default: vector.'),
  vectorField: text('Name of the vector. Default: vector.'),
  vectorFieldType: text('Quick mode: FloatVector by default.'),
  enableDynamicField: flag('Whether rows may have keys that are no fields.'),
  schema: object('Fields and functions: { autoID, enableDynamicField, fields: [{ fieldName, dataType, isPrimary, elementTypeParams, … }], functions }.'),
  function: object('{ name, type, inputFieldNames, outputFieldNames, params }'),
  functionName: text('Function.'),
  indexParams: objects('[{ fieldName, indexName, indexType, metricType, params }]'),
  params: object('Settings of the call.'),
  properties: object('Properties by name.'),
  propertyKeys: texts('Names of properties to remove.'),
  fieldParams: object('Parameters of the field by name.'),
  consistencyLevel: { ...text('Strong, Session, Bounded or Eventually.'), enum: ['Strong', 'Session', 'Bounded', 'Eventually', 'Customized'] },
  isClustering: flag('Whether rows are clustered anew.'),
  jobID: int64Schema,
  compactionID: int64Schema,
  jobId: int64Schema,
  data: { description: 'Rows: an object or an array of objects. In searches: an array of query vectors or texts.' },
  id: { description: 'A primary key or an array of them.' },
  ids: { type: 'array', description: 'Primary keys.' },
  filter: text('A boolean expression over the fields.'),
  exprParams: object('Values for {names} in the filter.'),
  outputFields: texts('Fields to return; * is all of them.'),
  limit: { ...integer('How many rows.', 100), minimum: 1, maximum: 16_384 },
  offset: { ...integer('How many rows to leave out first.', 0), minimum: 0, maximum: 16_384 },
  orderByFields: texts('"field:asc" or "field:desc".'),
  annsField: text('The vector field; needed where there are several.'),
  groupingField: text('One hit per value of this field.'),
  groupSize: integer('Hits per group.', 1),
  strictGroupSize: flag('Only whole groups.'),
  searchParams: object('{ metricType, params: { ef, nprobe, radius, range_filter, … } }'),
  functionScore: object('Rankers that change the scores.'),
  vector: { description: 'The query vector.' },
  search: objects('Sub-searches: [{ data, annsField, filter, limit, offset, metricType, params }]'),
  rerank: object('{ strategy: "rrf" | "weighted", params }'),
  partialUpdate: flag('Whether fields that are left out keep their values.'),
  fieldOps: objects('[{ fieldName, op: "REPLACE" | "ARRAY_APPEND" | "ARRAY_REMOVE" }]'),
  userName: text('User.'),
  password: text('Password.'),
  newPassword: text('The password that the user gets.'),
  roleName: text('Role.'),
  objectType: text('Collection, Global or User.'),
  objectName: text('A name, or * for all.'),
  privilege: text('Privilege or privilege group.'),
  privilegeGroupName: text('Privilege group.'),
  privileges: texts('Privileges.'),
  files: { type: 'array', items: { type: 'array', items: { type: 'string' } }, description: 'Groups of files.' },
  options: object('Options by name.'),
  name: text('Name.'),
  config: object('Requests and limits of the resource group.'),
  resource_groups: object('Configurations by name of the group.'),
  sourceRgName: text('The group that gives.'),
  targetRgName: text('The group that gets.'),
  replicaNum: integer('How many replicas.'),
  snapshotName: text('Snapshot.'),
  segmentIDs: { type: 'array', items: int64Schema, description: 'Segments.' },
  externalSource: text('Where the data lies.'),
  externalSpec: text('How it is read.'),
  text: { description: 'A text or an array of texts.' },
  analyzerParams: { description: 'The analyzer, as an object or as JSON text.' },
  analyzerNames: texts('Analyzers of a multi-language field, one per text.'),
  withDetail: flag('Whether tokens come with offsets.'),
  withHash: flag('Whether tokens come with hashes.'),
} as const satisfies Readonly<Record<string, JsonSchema>>

export type MemberName = keyof typeof members

const answer = (properties: Readonly<Record<string, JsonSchema>>): JsonSchema => ({ type: 'object', properties })

/** What `data` is. */
export const nothing: JsonSchema = { type: 'object', description: 'Nothing.' }
export const names: JsonSchema = { type: 'array', items: { type: 'string' } }
export const rowList: JsonSchema = { type: 'array', items: { type: 'object', additionalProperties: true } }
export const hasIt: JsonSchema = answer({ has: { type: 'boolean' } })
export const rowCountSchema: JsonSchema = answer({ rowCount: { type: 'integer' } })
export const anyObject: JsonSchema = { type: 'object', additionalProperties: true }
export const insertedKeys: JsonSchema = answer({ insertCount: { type: 'integer' }, insertIds: { type: 'array' } })
export const upsertedKeys: JsonSchema = answer({ upsertCount: { type: 'integer' }, upsertIds: { type: 'array' } })
export const deletedCount: JsonSchema = answer({ deleteCount: { type: 'integer' } })
