/** Bulk import through the official client and REST: jobs, states, atomicity, files that are wrong. */
import { DataType, ErrorCode, HttpClient, ImportState, type MilvusClient } from '@zilliz/milvus2-sdk-node'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestNode, type TestNode } from './support.ts'

let folder: string
let test: TestNode
let client: MilvusClient

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'timetick-import-'))
  test = await startTestNode({ inMemory: true, parameters: { 'import.path': folder } })
  client = test.client
})

afterAll(async () => {
  await test.close()
  await rm(folder, { recursive: true, force: true })
})

async function put(path: string, data: string | Uint8Array): Promise<string> {
  await mkdir(dirname(join(folder, path)), { recursive: true })
  await writeFile(join(folder, path), data)
  return path
}

async function create(collection_name: string, more: object = {}): Promise<void> {
  const fields = [
    { name: 'id', data_type: DataType.Int64, is_primary_key: true },
    { name: 'vec', data_type: DataType.FloatVector, dim: 4 },
    { name: 'note', data_type: DataType.VarChar, max_length: 32, nullable: true },
  ]
  expect((await client.createCollection({ collection_name, fields, enable_dynamic_field: true, ...more })).error_code).toBe(ErrorCode.SUCCESS)
  await client.createIndex({ collection_name, field_name: 'vec', index_type: 'FLAT', metric_type: 'L2' })
}

const rowsOf = (from: number, count: number): object[] => Array.from({ length: count }, (_, i) => ({ id: from + i, vec: [from + i, 1, 2, 3], note: `row ${from + i}`, color: i % 2 === 0 ? 'red' : 'blue' }))

interface State {
  readonly state: ImportState
  readonly row_count: string
  readonly infos: readonly { key: string; value: string }[]
}

async function ended(task: number | string): Promise<State> {
  for (;;) {
    const state = (await client.getImportState({ task: task as number })) as unknown as State & { status: { error_code: string; reason: string } }
    if (state.status.error_code !== 'Success') throw new Error(state.status.reason)
    if (`${state.state}` === `${ImportState.ImportCompleted}` || `${state.state}` === `${ImportState.ImportFailed}`) return state
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

async function importFiles(collection_name: string, files: string[], more: object = {}): Promise<State> {
  const answer = await client.bulkInsert({ collection_name, files, ...more })
  expect(answer.status).toMatchObject({ error_code: ErrorCode.SUCCESS })
  return ended((answer.tasks as (number | string)[])[0] ?? 0)
}

const reasonOf = ({ infos }: State): string => infos.find(({ key }) => key === 'failed_reason')?.value ?? ''
const count = async (collection_name: string): Promise<number> => Number((await client.count({ collection_name })).data)

describe('bulk import', () => {
  it('takes JSON from below the import folder; rows are found, the job is listed', async () => {
    await create('json')
    const state = await importFiles('json', [await put('a/rows.json', JSON.stringify({ rows: rowsOf(0, 1000) }))])
    expect(reasonOf(state)).toBe('')
    expect(`${state.state}`).toBe(`${ImportState.ImportCompleted}`)
    expect(Number(state.row_count)).toBe(1000)
    await client.loadCollectionSync({ collection_name: 'json' })
    expect(await count('json')).toBe(1000)
    const { data } = await client.query({ collection_name: 'json', filter: 'color == "blue" and id < 4', output_fields: ['id', 'note', 'color', 'vec'] })
    expect(data).toEqual([1, 3].map((id) => ({ id: String(id), note: `row ${id}`, $meta: { color: 'blue' }, vec: [id, 1, 2, 3] })))
    const { tasks } = await client.listImportTasks({ collection_name: 'json' })
    expect(tasks).toHaveLength(1)
    // Into a loaded collection, as lines.
    const more = await importFiles('json', [await put('b.jsonl', rowsOf(1000, 500).map((row) => JSON.stringify(row)).join('\n'))])
    expect(`${more.state}`).toBe(`${ImportState.ImportCompleted}`)
    expect(await count('json')).toBe(1500)
    await client.delete({ collection_name: 'json', filter: 'id in [5, 1005]' })
    expect(await count('json')).toBe(1498)
    const found = await client.search({ collection_name: 'json', data: [[1200, 1, 2, 3]], limit: 1, output_fields: ['id'] })
    expect(found.results[0]).toMatchObject({ id: '1200', score: 0 })
  })

  it('a bad row fails the whole job, names file, row and field, and leaves nothing behind', async () => {
    await create('bad')
    const rows = rowsOf(0, 20_000)
    rows[12_345] = { id: 12_345, vec: [1, 2, 3], note: 'short' }
    const good = await put('good.json', JSON.stringify(rowsOf(0, 10)))
    const state = await importFiles('bad', [good, await put('bad.json', JSON.stringify(rows))])
    expect(`${state.state}`).toBe(`${ImportState.ImportFailed}`)
    expect(reasonOf(state)).toMatch(/^bad\.json: .*dim \(3\).*\(vec\).*row number: 12345$/)
    await client.loadCollectionSync({ collection_name: 'bad' })
    expect(await count('bad')).toBe(0)
    expect((await client.getCollectionStatistics({ collection_name: 'bad' })).data['row_count']).toBe('0')
  })

  it('rows of all shards and partitions are seen at once, or none of them', async () => {
    await create('atomic', { shards_num: 4 })
    await client.loadCollectionSync({ collection_name: 'atomic' })
    const rows = 30_000
    const { tasks } = await client.bulkInsert({ collection_name: 'atomic', files: [await put('atomic.json', JSON.stringify(rowsOf(0, rows)))] })
    const done = ended(tasks[0] ?? 0)
    const counts = new Set<number>()
    let isDone = false
    void done.finally(() => (isDone = true))
    while (!isDone) counts.add(await count('atomic'))
    expect(reasonOf(await done)).toBe('')
    counts.add(await count('atomic'))
    expect([...counts].filter((seen) => seen !== 0 && seen !== rows)).toEqual([])
    expect(counts.has(rows)).toBe(true)
    expect((await client.getCollectionStatistics({ collection_name: 'atomic' })).data['row_count']).toBe(String(rows))
  })

  it('deletes before its timestamp do not reach an import, deletes behind it do; abort leaves nothing', async () => {
    await create('deletes')
    await client.loadCollectionSync({ collection_name: 'deletes' })
    await client.delete({ collection_name: 'deletes', filter: 'id in [1, 2, 3]' })
    await importFiles('deletes', [await put('deletes.json', JSON.stringify(rowsOf(0, 10)))])
    expect(await count('deletes')).toBe(10)
    await client.delete({ collection_name: 'deletes', filter: 'id in [3, 4]' })
    expect(await count('deletes')).toBe(8)
    await client.flushSync({ collection_names: ['deletes'] })
    await client.releaseCollection({ collection_name: 'deletes' })
    await client.loadCollectionSync({ collection_name: 'deletes' })
    expect(await count('deletes')).toBe(8)
    const { tasks } = await client.bulkInsert({ collection_name: 'deletes', files: [await put('large.json', JSON.stringify(rowsOf(1000, 60_000)))] })
    const jobId = String(tasks[0])
    const answer = (await (await fetch(`http://${test.node.address}/v2/vectordb/jobs/import/abort`, { method: 'POST', body: JSON.stringify({ jobId, collectionName: 'deletes' }) })).json()) as { code: number }
    expect(answer.code).toBe(0)
    expect(reasonOf(await ended(jobId))).toBe('aborted')
    expect(await count('deletes')).toBe(8)
  })

  it.each([
    ['../secret.json', /expected a relative path/],
    ['/../secret.json', /expected a relative path/],
    ['a\\b.json', /expected a relative path/],
    ['rows.xml', /expected a file of type/],
    ['http://169.254.169.254/latest/rows.json', /expected a relative path/],
    ['s3://elsewhere/rows.json', /expected a relative path/],
    ['file:///etc/rows.json', /expected a relative path/],
  ])('S15, S16: refuses %s', async (path, reason) => {
    const { status } = await client.bulkInsert({ collection_name: 'json', files: [path] })
    expect(status.error_code).not.toBe(ErrorCode.SUCCESS)
    expect(status.reason).toMatch(reason)
  })

  it('S15: reads nothing by an absolute name: the job fails, as in Milvus, over REST and gRPC alike', async () => {
    const files = ['/etc/passwd.json', '//etc/passwd.json', `${join(folder, 'json.json')}`]
    for (const path of files) expect(reasonOf(await importFiles('json', [path]))).toMatch(/expected a relative path/)
    const http = new HttpClient({ endpoint: `http://${test.node.address}` })
    const { code, data } = await http.createImportJobs({ collectionName: 'json', files: [['/etc/passwd.json']] })
    expect(code).toBe(0)
    await ended(data.jobId)
    expect(await http.getImportJobProgress({ jobId: data.jobId })).toMatchObject({ code: 0, data: { jobId: data.jobId, state: 'Failed' } })
  })

  it('S15: follows no link out of the folder, and misses what is not there', async () => {
    const outside = await mkdtemp(join(tmpdir(), 'timetick-outside-'))
    await writeFile(join(outside, 'x.json'), JSON.stringify(rowsOf(0, 1)))
    await symlink(join(outside, 'x.json'), join(folder, 'link.json'))
    await symlink(outside, join(folder, 'linked'))
    for (const path of ['link.json', 'linked/x.json']) expect(reasonOf(await importFiles('json', [path]))).toMatch(/leads out of the import folder/)
    expect(reasonOf(await importFiles('json', ['missing.json']))).toMatch(/there is no such file/)
    await rm(outside, { recursive: true })
  })

  it('speaks REST: create, list, progress, abort', async () => {
    const http = new HttpClient({ endpoint: `http://${test.node.address}` })
    await create('rest')
    const { data, code } = await http.createImportJobs({ collectionName: 'rest', files: [[await put('rest.json', JSON.stringify(rowsOf(0, 300)))]], options: { timeout: '300s' } })
    expect(code).toBe(0)
    await ended(data.jobId)
    const progress = await http.getImportJobProgress({ jobId: data.jobId })
    expect(progress).toMatchObject({ code: 0, data: { jobId: data.jobId, collectionName: 'rest', state: 'Completed', progress: 100, importedRows: 300, totalRows: 300 } })
    expect(await http.listImportJobs({ collectionName: 'rest' })).toMatchObject({ code: 0, data: { records: [{ jobId: data.jobId, state: 'Completed', progress: 100 }] } })
    const post = async (path: string, body: object): Promise<unknown> => (await fetch(`http://${test.node.address}/v2/vectordb/jobs/import/${path}`, { method: 'POST', body: JSON.stringify(body) })).json()
    expect(await post('abort', { jobId: data.jobId })).toMatchObject({ code: 1100, message: expect.stringMatching(/cannot be aborted/) as string })
    expect(await post('get_progress', { jobId: '17' })).toMatchObject({ code: 1100, message: expect.stringMatching(/does not exist/) as string })
  })
})
