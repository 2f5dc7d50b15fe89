/** A call of any route with values that its RPC can be reached by. */
import type { Route } from '../../src/rest/route.ts'

const samples: Readonly<Record<string, unknown>> = {
  data: [{ id: 1 }],
  filter: 'a',
  id: 1,
  ids: [1],
  dimension: 4,
  partitionNames: ['p'],
  partition_names: 'p',
  jobID: 5,
  jobId: 5,
  compactionID: '5',
  schema: { fieldName: 'f', dataType: 'Int64', fields: [] },
  function: { name: 'f', type: 'BM25' },
  indexParams: [{ fieldName: 'vector' }],
  vector: [1, 2],
  search: [{ data: [[1, 2]] }],
  privileges: ['Search'],
  files: [['a.json']],
  resource_groups: { rg: {} },
  replicaNum: 1,
  segmentIDs: [1],
}
/** Left out where they are not needed: other values would be asked for then. */
const extra = ['jobID', 'dimension', 'id']

export async function callWithSamples(address: string, { method, path, params }: Route): Promise<{ status: number; body: Record<string, unknown> }> {
  const wanted = params.filter(({ name, required }) => required || extra.includes(name))
  const valueOf = (name: string): unknown => samples[name] ?? 'x'
  const real = path.replaceAll(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(valueOf(name))))
  const query = wanted.filter((param) => param.in === 'query').map(({ name }) => `${name}=${encodeURIComponent(String(valueOf(name)))}`)
  const body = Object.fromEntries(wanted.filter((param) => param.in === 'body').map(({ name }) => [name, valueOf(name)]))
  const response = await fetch(`http://${address}${real}${query.length > 0 ? `?${query.join('&')}` : ''}`, {
    method,
    ...(method === 'GET' ? {} : { body: JSON.stringify(body) }),
  })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}
