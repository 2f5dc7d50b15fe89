/** Upserts, whole and partial, against a model of the rows: keys that are there and keys that are not, growing and flushed. */
import { DataType, type FieldType, type RowData } from '@zilliz/milvus2-sdk-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { seededRandom, startTestNode, type TestNode } from './support.ts'

type Model = Map<number, Record<string, unknown>>
const vector: FieldType = { name: 'vec', data_type: DataType.FloatVector, dim: 2 }

describe('upserts', () => {
  let test: TestNode
  beforeAll(async () => {
    test = await startTestNode()
  })
  afterAll(() => test.close())

  async function create(collection_name: string, fields: readonly FieldType[], more: object = {}): Promise<void> {
    const created = await test.client.createCollection({
      collection_name,
      consistency_level: 'Strong',
      fields: [...fields, vector],
      index_params: [{ field_name: 'vec', index_type: 'FLAT', metric_type: 'L2' }],
      ...more,
    })
    expect(created).toMatchObject({ error_code: 'Success' })
    await test.client.loadCollectionSync({ collection_name })
  }
  const insert = async (collection_name: string, data: readonly object[]): Promise<string[]> => {
    const inserted = await test.client.insert({ collection_name, data: data as RowData[] })
    expect(inserted.status).toMatchObject({ error_code: 'Success' })
    return (inserted.IDs as unknown as { int_id: { data: string[] } }).int_id?.data ?? []
  }
  const upsert = (collection_name: string, data: readonly object[], more: object = {}) => test.client.upsert({ collection_name, data: data as RowData[], ...more })
  const rowsOf = async (collection_name: string): Promise<Record<string, unknown>[]> => {
    const found = await test.client.query({ collection_name, filter: 'id >= 0', output_fields: ['*'], limit: 1000 })
    expect(found.status).toMatchObject({ error_code: 'Success' })
    return found.data
  }
  const id: FieldType = { name: 'id', data_type: DataType.Int64, is_primary_key: true }

  it('partial ones change what they name and nothing else; 30 seeded rounds', async () => {
    const collection_name = 'partial'
    await create(
      collection_name,
      [
        id,
        { name: 'a', data_type: DataType.Int32 },
        { name: 'b', data_type: DataType.VarChar, max_length: 16, nullable: true },
        { name: 'c', data_type: DataType.Double, default_value: 1.5 },
        { name: 'big', data_type: DataType.Int64 },
        { name: 'list', data_type: DataType.Array, element_type: DataType.Int64, max_capacity: 64, nullable: true },
      ],
      { enable_dynamic_field: true },
    )
    const random = seededRandom(9)
    const below = (n: number): number => Math.floor(random() * n)
    const model: Model = new Map()
    const whole = (key: number): Record<string, unknown> => ({ id: String(key), a: below(100), b: random() < 0.3 ? null : `b${below(9)}`, c: below(50) / 4, big: String(2n ** 60n + BigInt(below(1000))), list: [String(below(5)), String(below(5))], vec: [below(8), below(8)] })
    const first = Array.from({ length: 40 }, (_, key) => ({ id: key, ...whole(key), note: `n${key}`, deep: { at: key } }))
    await insert(collection_name, first)
    for (const row of first) model.set(Number(row.id), { ...row, $meta: { note: row.note, deep: row.deep } })
    for (let round = 0; round < 30; round++) {
      const keys = [...new Set(Array.from({ length: 1 + below(6) }, () => below(40)))]
      const names = ['a', 'b', 'c', 'big', 'list', 'vec'].filter(() => random() < 0.4)
      const data = keys.map((key) => {
        const full = whole(key)
        const extra = random() < 0.5 ? { note: `r${round}` } : {}
        return { id: key, ...Object.fromEntries(names.map((name) => [name, full[name]])), ...extra }
      })
      const done = await upsert(collection_name, data, { partial_update: true })
      expect(done.status, `seed 9, round ${round}`).toMatchObject({ error_code: 'Success' })
      expect(Number(done.upsert_cnt)).toBe(keys.length)
      for (const { id: key, note, ...given } of data as ({ id: number; note?: string } & Record<string, unknown>)[]) {
        const old = model.get(key) as Record<string, unknown>
        model.set(key, { ...old, ...given, $meta: { ...(old['$meta'] as object), ...(note === undefined ? {} : { note }) } })
      }
      if (round % 7 === 3) await test.client.flushSync({ collection_names: [collection_name] })
    }
    const found = await rowsOf(collection_name)
    expect(found).toHaveLength(40)
    for (const row of found) {
      const { note: _note, deep: _deep, ...expected } = model.get(Number(row['id'])) as Record<string, unknown>
      expect(row, `seed 9, key ${String(row['id'])}`).toEqual(expected)
    }
  })

  it('partial ones of keys that are not there insert them, where missing fields may be missing', async () => {
    const collection_name = 'fresh'
    await create(collection_name, [id, { name: 'a', data_type: DataType.Int32, nullable: true }, { name: 'b', data_type: DataType.Int32, default_value: 7 }])
    await insert(collection_name, [{ id: 1, a: 1, b: 1, vec: [1, 1] }])
    const done = await upsert(collection_name, [{ id: 1, vec: [2, 2] }, { id: 2, vec: [3, 3] }], { partial_update: true })
    expect(done.status).toMatchObject({ error_code: 'Success' })
    expect(await rowsOf(collection_name)).toEqual([{ id: '1', a: 1, b: 1, vec: [2, 2] }, { id: '2', a: null, b: 7, vec: [3, 3] }])
    const refused = await upsert(collection_name, [{ id: 3, a: 5 }], { partial_update: true })
    expect(refused.status).toMatchObject({ error_code: 'IllegalArgument', reason: expect.stringContaining('fieldSchema(vec) has no corresponding fieldData pass in') as string })
    expect(await rowsOf(collection_name)).toHaveLength(2)
  })

  it('append to arrays and remove from them, twenty at once without losing any', async () => {
    const collection_name = 'arrays'
    await create(collection_name, [id, { name: 'tags', data_type: DataType.Array, element_type: DataType.VarChar, max_capacity: 32, max_length: 8, nullable: true }, { name: 'n', data_type: DataType.Int32 }])
    await insert(collection_name, [{ id: 1, tags: ['x', 'y', 'x'], n: 1, vec: [0, 0] }, { id: 2, tags: null, n: 2, vec: [0, 1] }])
    const append = (key: number, tags: readonly string[]) => upsert(collection_name, [{ id: key, tags }], { field_ops: [{ field_name: 'tags', op: 'ARRAY_APPEND' }] })
    const remove = (key: number, tags: readonly string[]) => upsert(collection_name, [{ id: key, tags }], { field_ops: [{ field_name: 'tags', op: 'ARRAY_REMOVE' }] })
    expect((await remove(1, ['x', 'z'])).status).toMatchObject({ error_code: 'Success' })
    const all = await Promise.all(Array.from({ length: 20 }, (_, i) => append(2, [`t${i}`])))
    for (const { status } of all) expect(status).toMatchObject({ error_code: 'Success' })
    const [one, two] = await rowsOf(collection_name)
    expect(one).toMatchObject({ tags: ['y'], n: 1 })
    expect(((two?.['tags'] ?? []) as string[]).toSorted()).toEqual(Array.from({ length: 20 }, (_, i) => `t${i}`).toSorted())
    expect((await append(2, Array.from({ length: 13 }, () => 'u'))).status).toMatchObject({ error_code: 'IllegalArgument', reason: expect.stringContaining('exceeds max capacity (32)') as string })
    const wrong = await upsert(collection_name, [{ id: 1, n: 4 }], { field_ops: [{ field_name: 'n', op: 'ARRAY_APPEND' }] })
    expect(wrong.status).toMatchObject({ error_code: 'IllegalArgument' })
  })

  it('under autoID give new ids, and the old rows are gone', async () => {
    const collection_name = 'auto'
    await create(collection_name, [{ ...id, autoID: true }, { name: 'a', data_type: DataType.Int32 }])
    const [first, second] = await insert(collection_name, [{ a: 1, vec: [0, 0] }, { a: 2, vec: [1, 1] }])
    const done = await upsert(collection_name, [{ id: first, a: 10, vec: [5, 5] }])
    expect(done.status).toMatchObject({ error_code: 'Success' })
    const [fresh] = (done.IDs as unknown as { int_id: { data: string[] } }).int_id.data
    expect(fresh).not.toBe(first)
    expect((await rowsOf(collection_name)).map((row) => [row['id'], row['a']])).toEqual([[second, 2], [fresh, 10]])
    const partial = await upsert(collection_name, [{ id: second, a: 20 }], { partial_update: true })
    expect(partial.status).toMatchObject({ error_code: 'Success' })
    const rows = await rowsOf(collection_name)
    expect(rows).toHaveLength(2)
    expect(rows[1]).toMatchObject({ a: 20, vec: [1, 1] })
  })

  it('ids of an autoID collection may be given only where its property allows it', async () => {
    const collection_name = 'given_ids'
    await create(collection_name, [{ ...id, autoID: true }])
    const refused = await test.client.insert({ collection_name, data: [{ id: 5, vec: [0, 0] }] }).catch((error: unknown) => ({ status: { error_code: 'IllegalArgument', reason: String(error) } }))
    expect(refused.status.error_code).toBe('IllegalArgument')
    await test.client.alterCollectionProperties({ collection_name, properties: { allow_insert_auto_id: 'true' } })
    // The client keeps what it knows of a collection until it describes it anew.
    await test.client.describeCollection({ collection_name })
    expect(await insert(collection_name, [{ id: 5, vec: [0, 0] }, { id: 6, vec: [1, 0] }])).toEqual(['5', '6'])
    expect((await rowsOf(collection_name)).map((row) => row['id'])).toEqual(['5', '6'])
  })

  it('of a key twice in one batch keep the last', async () => {
    const collection_name = 'twice'
    await create(collection_name, [id, { name: 'a', data_type: DataType.Int32 }])
    const done = await upsert(collection_name, [{ id: 1, a: 1, vec: [0, 0] }, { id: 2, a: 2, vec: [0, 0] }, { id: 1, a: 3, vec: [9, 9] }])
    expect(done.status).toMatchObject({ error_code: 'Success' })
    expect(await rowsOf(collection_name)).toEqual([{ id: '1', a: 3, vec: [9, 9] }, { id: '2', a: 2, vec: [0, 0] }])
  })
})
