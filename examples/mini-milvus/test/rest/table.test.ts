/** The table of routes against what Milvus, its client and the seed have. */
import { Validator } from '@seriousme/openapi-schema-validator'
import { HttpClient } from '@zilliz/milvus2-sdk-node'
import { describe, expect, it } from 'vitest'
import { createRouteFinder } from '../../src/rest/find-route.ts'
import { openApi } from '../../src/rest/openapi.ts'
import { resourceRows } from '../../src/rest/resource-table.ts'
import { routes } from '../../src/rest/table.ts'

const pathsOf = (family: string) => routes.filter((route) => route.family === family).map(({ method, path }) => `${method} ${path}`)

/** `/v2/vectordb` of Milvus, by category. */
const v2 = {
  collections:
    'list has describe get_stats get_load_state create drop truncate rename load refresh_load release alter_properties drop_properties compact get_compaction_state flush add_function alter_function drop_function add_function_field drop_function_field fields/add fields/alter_properties struct_fields/add',
  databases: 'create drop list describe alter alter_properties drop_properties',
  entities: 'insert upsert delete query get search hybrid_search advanced_search',
  partitions: 'list has get_stats create drop load release',
  indexes: 'list describe create drop alter_properties drop_properties',
  aliases: 'list describe create drop alter',
  users: 'create update_password drop list describe grant_role revoke_role',
  roles: 'list describe create drop alter grant_privilege revoke_privilege grant_privilege_v2 revoke_privilege_v2',
  privilege_groups: 'create drop list add_privileges_to_group remove_privileges_from_group',
  'jobs/import': 'create list get_progress describe commit abort',
  'jobs/snapshot': 'restore_external export describe list',
  'jobs/external_collection': 'refresh describe list',
  resource_groups: 'create drop alter describe list transfer_replica',
  segments: 'describe',
  quotacenter: 'describe',
  common: 'run_analyzer',
}

/** The seed's own paths, in its words. */
const seed = `POST /collections
DELETE /collections/:collectionName
GET /collections/:collectionName
PUT /collections/:collectionName/load
DELETE /collections/:collectionName/load
GET /collections/:collectionName/schema
GET /collections/:collectionName/statistics
GET /collections-list
POST /collections/:collection/partitions
DELETE /collections/:collection/partitions/:partition
GET /collections/:collection/partitions/:partition
PUT /collections/:collection/partitions/:partition/load
DELETE /collections/:collection/partitions/:partition/load
GET /collections/:collection/partitions/:partition/statistics
GET /collections/:collection/partitions-list`.split('\n')

describe('the table of routes', () => {
  it('has the 101 routes of /v2/vectordb', () => {
    const wanted = Object.entries(v2).flatMap(([category, actions]) => actions.split(' ').map((action) => `POST /v2/vectordb/${category}/${action}`))
    expect(wanted).toHaveLength(101)
    expect(pathsOf('v2').sort()).toEqual(wanted.sort())
  })

  it('has every path that the official client posts to', async () => {
    const asked = new Set<string>()
    const answer = { ok: true, json: () => Promise.resolve({ code: 0, data: [] }) }
    const client = new HttpClient({
      endpoint: 'http://node',
      fetch: ((url: string) => {
        asked.add(`POST ${new URL(url).pathname}`)
        return Promise.resolve(answer)
      }) as unknown as typeof fetch,
    })
    const helpers = ['constructor', 'POST', 'GET', '_handleResponse']
    for (let at: object = client; at !== Object.prototype; at = Object.getPrototypeOf(at) as object) {
      for (const name of Object.getOwnPropertyNames(at)) {
        const descriptor = Object.getOwnPropertyDescriptor(at, name)
        if (helpers.includes(name) || typeof descriptor?.value !== 'function') continue
        await (descriptor.value as (params: object) => Promise<unknown>).call(client, {})
      }
    }
    expect(asked.size).toBeGreaterThanOrEqual(60)
    expect([...asked].filter((path) => !pathsOf('v2').includes(path))).toEqual([])
  })

  it('has the 10 routes of /v1/vector', () => {
    expect(pathsOf('v1')).toHaveLength(10)
  })

  it('has all 38 RPCs of the seed but the one that has no HTTP form', () => {
    expect(resourceRows.map(({ rpc }) => rpc)).toHaveLength(37)
    expect(new Set(resourceRows.map(({ rpc }) => rpc)).size).toBe(37)
    expect(resourceRows.every(({ resource }) => resource.length > 0)).toBe(true)
  })

  it('has the paths that the seed names', () => {
    const shape = (path: string) => path.replaceAll(/:\w+|\{\w+\}/g, '*').replace(' /api/v1', ' ')
    const there = new Set(pathsOf('resource').map(shape))
    expect(seed.filter((line) => !there.has(shape(line)))).toEqual([])
  })

  it('finds routes by literal before name, decodes, and says which methods there are', () => {
    const find = createRouteFinder(routes)
    expect(find('GET', '/api/v1/collections/a%2Fb/schema')).toMatchObject({ values: { collection_name: 'a/b' }, route: { rpc: 'DescribeCollection' } })
    expect(find('GET', '/api/v1/collections')).toMatchObject({ route: { family: 'flat', rpc: 'ShowCollections' } })
    expect(find('PATCH', '/api/v1/collections')).toEqual({ methods: ['POST', 'GET'] })
    for (const path of ['/api/v1/collections//schema', '/api/v1/collections/%ff/schema', '/api/v1/nothing', '', '/', '/api/v1/collections/x/load/y', '/v2/vectordb/constructor'])
      expect([path, find('GET', path)]).toEqual([path, undefined])
  })
})

describe('the OpenAPI document', () => {
  it('is valid OpenAPI 3.1', async () => {
    const validator = new Validator()
    const { valid, errors } = await validator.validate(openApi() as Record<string, unknown>)
    expect(errors).toBeUndefined()
    expect(valid).toBe(true)
    expect(validator.version).toBe('3.1')
  })

  it('holds every route, with the path and query parameters that it takes, and no name that is not there', () => {
    const document = openApi() as {
      paths: Record<string, Record<string, { operationId: string; parameters?: { name?: string; in?: string; required?: boolean }[] }>>
      components: { schemas: Record<string, unknown> }
    }
    for (const { method, path, params } of routes) {
      const operation = document.paths[path]?.[method.toLowerCase()]
      expect([method, path, operation?.parameters?.filter(({ name }) => name !== undefined).map(({ name }) => name)]).toEqual([
        method,
        path,
        params.filter((param) => param.in !== 'body').map(({ name }) => name),
      ])
    }
    const ids = Object.values(document.paths).flatMap((operations) => Object.values(operations).map(({ operationId }) => operationId))
    expect(new Set(ids).size).toBe(ids.length)
    const references = [...JSON.stringify(document).matchAll(/"#\/components\/schemas\/([^"]+)"/g)].map(([, name = '']) => name)
    expect(references.length).toBeGreaterThan(100)
    expect(references.filter((name) => !Object.hasOwn(document.components.schemas, name))).toEqual([])
  })
})
