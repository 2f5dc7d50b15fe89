/** Full text: BM25 against brute force over random texts while rows come, change, go, are flushed and compacted; functions; filters on words. */
import { DataType, FunctionType, type MilvusClient } from '@zilliz/milvus2-sdk-node'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { seededRandom, startTestNode, type TestNode } from './support.ts'

const collection_name = 'articles'
const ROWS = 600
const K1 = 1.4
const B = 0.6
const seed = 9
const random = seededRandom(seed)
const VOCABULARY = Array.from({ length: 60 }, (_, i) => `w${'abcdefghij'[i % 10]}${'klmnop'[Math.floor(i / 10)]}`)
/** Few words are common, most are rare. */
const word = (): string => VOCABULARY[Math.floor(60 * random() ** 3)] as string
const text = (): string => Array.from({ length: 1 + Math.floor(random() * 25) }, word).join(random() < 0.2 ? '. ' : ' ')

/** What the collection should hold: the test's own copy. */
const articles = new Map<number, { text: string; price: number }>()
const wordsOf = (of: string): string[] => of.toLowerCase().split(/[^a-z]+/).filter((each) => each !== '')

function truth(query: string, allowed: (id: number) => boolean = () => true): [id: number, score: number][] {
  const all = [...articles].map(([id, article]) => ({ id, words: wordsOf(article.text) }))
  const average = all.reduce((sum, { words }) => sum + words.length, 0) / all.length
  const hits = all.filter(({ id }) => allowed(id)).map(({ id, words }): [number, number] => {
    let score = 0
    for (const term of wordsOf(query)) {
      const count = words.filter((each) => each === term).length
      const having = all.filter((other) => other.words.includes(term)).length
      const rarity = Math.log(1 + (all.length - having + 0.5) / (having + 0.5))
      score += (rarity * count * (K1 + 1)) / (count + K1 * (1 - B + (B * words.length) / average))
    }
    return [id, score]
  })
  return hits.filter(([, score]) => score > 0).sort((a, b) => b[1] - a[1] || a[0] - b[0])
}

interface Hit {
  readonly id: string
  readonly score: number
}

function expectHits(found: readonly Hit[], expected: readonly [number, number][], k: number): void {
  expect(found).toHaveLength(Math.min(k, expected.length))
  const scoreOf = new Map(expected)
  found.forEach((hit, i) => {
    // Float32 may make equals of scores that are not: the rank's score, and the row's own.
    expect(hit.score).toBeCloseTo(expected[i]?.[1] ?? 0, 4)
    expect(hit.score).toBeCloseTo(scoreOf.get(Number(hit.id)) ?? -1, 4)
  })
}

const bm25 = { name: 'words', description: 'counts', type: FunctionType.BM25, input_field_names: ['text'], output_field_names: ['sparse'], params: {} }
const fields = [
  { name: 'id', data_type: DataType.Int64, is_primary_key: true },
  { name: 'text', data_type: DataType.VarChar, max_length: 2000, enable_analyzer: true, enable_match: true },
  { name: 'sparse', data_type: DataType.SparseFloatVector },
  { name: 'vec', data_type: DataType.FloatVector, dim: 2 },
  { name: 'price', data_type: DataType.Int32 },
]
const index_params = [
  { field_name: 'sparse', index_type: 'SPARSE_INVERTED_INDEX', metric_type: 'BM25', params: { bm25_k1: K1, bm25_b: B } },
  { field_name: 'vec', index_type: 'FLAT', metric_type: 'L2' },
]

async function write(client: MilvusClient, kind: 'insert' | 'upsert', ids: readonly number[]): Promise<void> {
  const data = ids.map((id) => {
    const row = { text: text(), price: Math.floor(random() * 100) }
    articles.set(id, row)
    return { id, ...row, vec: [id, 0] }
  })
  expect((await client[kind]({ collection_name, data })).status).toMatchObject({ error_code: 'Success' })
}

async function remove(client: MilvusClient, ids: readonly number[]): Promise<void> {
  expect((await client.delete({ collection_name, ids: [...ids] })).status.error_code).toBe('Success')
  for (const id of ids) articles.delete(id)
}

const range = (begin: number, end: number): number[] => Array.from({ length: end - begin }, (_, i) => begin + i)

describe('full text', () => {
  let test: TestNode
  beforeAll(async () => {
    test = await startTestNode()
    const { client } = test
    expect(await client.createCollection({ collection_name, consistency_level: 'Strong', shards_num: 2, fields, functions: [bm25], index_params })).toMatchObject({ error_code: 'Success' })
    await client.loadCollectionSync({ collection_name })
  })
  afterAll(() => test.close())

  const search = async (query: string, more: object = {}, k = 20): Promise<Hit[]> => {
    const found = await test.client.search({ collection_name, data: query, anns_field: 'sparse', limit: k, output_fields: ['id'], ...more })
    expect(found.status).toMatchObject({ error_code: 'Success' })
    return found.results
  }
  const expectTruth = async (): Promise<void> => {
    for (const query of ['wak', 'wbk wcl', 'wap wap wbk', 'nothing of this', '?!', text(), text()]) expectHits(await search(query), truth(query), 20)
  }

  it('ranks by BM25 of the whole collection: rows that grow, that are flushed, that are changed and deleted', async () => {
    const { client } = test
    expect(await search('wak')).toEqual([])
    await write(client, 'insert', range(0, 200))
    await expectTruth()
    await client.flushSync({ collection_names: [collection_name] })
    await expectTruth()
    await write(client, 'insert', range(200, ROWS))
    await remove(client, range(50, 130))
    await expectTruth()
    await write(client, 'upsert', [...range(120, 160), ...range(590, 620)])
    await expectTruth()
  })

  it('stays right when segments are flushed and compacted', async () => {
    const { client } = test
    for (let round = 0; round < 2; round++) {
      await client.flushSync({ collection_names: [collection_name] })
      await remove(client, range(300 + round * 20, 310 + round * 20))
    }
    await client.flushSync({ collection_names: [collection_name] })
    await expectTruth()
    const { compactionID } = await client.compact({ collection_name })
    await expect.poll(async () => (await client.getCompactionState({ compactionID })).state, { timeout: 30_000 }).toBe('Completed')
    await expectTruth()
    await client.releaseCollection({ collection_name })
    await client.loadCollectionSync({ collection_name })
    await expectTruth()
  })

  it('takes the collection as its measure where only some rows are searched', async () => {
    const cheap = (id: number): boolean => (articles.get(id)?.price ?? 100) < 30
    expectHits(await search('wak wbl', { filter: 'price < 30' }), truth('wak wbl', cheap), 20)
    const matching = (id: number): boolean => wordsOf(articles.get(id)?.text ?? '').includes('wcl')
    expectHits(await search('wak', { filter: 'text_match(text, "wcl")' }), truth('wak', matching), 20)
  })

  it('answers several texts at once, ranges, and pages', async () => {
    const queries = ['wak', 'wbk wcl', 'unknown']
    const found = await test.client.search({ collection_name, data: queries, anns_field: 'sparse', limit: 5, output_fields: ['id'] })
    const results = found.results as unknown as Hit[][]
    queries.forEach((query, i) => expectHits(results[i] ?? [], truth(query), 5))
    const all = truth('wak')
    const bound = all[7]?.[1] ?? 0
    const ranged = await search('wak', { params: { radius: bound - 1e-4 } }, 100)
    expect(ranged).toHaveLength(all.filter(([, score]) => score > bound - 1e-4).length)
    expectHits(await search('wak', { offset: 5 }, 5), all.slice(5), 5)
  })

  it('joins a hybrid search', async () => {
    const found = await test.client.search({
      collection_name,
      data: [{ data: 'wak wbl', anns_field: 'sparse' }, { data: [200, 0], anns_field: 'vec' }],
      rerank: { strategy: 'rrf', params: { k: 60 } },
      limit: 10,
      output_fields: ['id'],
    })
    const lists = [truth('wak wbl').slice(0, 10).map(([id]) => id), [...articles.keys()].sort((a, b) => Math.abs(a - 200) - Math.abs(b - 200) || a - b).slice(0, 10)]
    const scores = new Map<number, number>()
    for (const list of lists) list.forEach((id, rank) => scores.set(id, (scores.get(id) ?? 0) + 1 / (61 + rank)))
    const best = [...scores.values()].sort((a, b) => b - a).slice(0, 10)
    expect(found.status.error_code).toBe('Success')
    found.results.forEach((hit, i) => expect(hit.score).toBeCloseTo(best[i] ?? 0, 5))
  })

  it('finds words and phrases by filters', async () => {
    const { client } = test
    const ids = async (filter: string): Promise<number[]> => {
      const found = await client.query({ collection_name, filter, output_fields: ['id'], limit: 1000 })
      expect({ filter, ...found.status }).toMatchObject({ error_code: 'Success' })
      return found.data.map((row) => Number(row['id']))
    }
    const having = (test_: (words: string[]) => boolean): number[] => [...articles].filter(([, article]) => test_(wordsOf(article.text))).map(([id]) => id).sort((a, b) => a - b)
    expect(await ids("TEXT_MATCH(text, 'WCL wdm')")).toEqual(having((words) => words.includes('wcl') || words.includes('wdm')))
    expect(await ids('text_match(text, "wak wbk wck", minimum_should_match=2)')).toEqual(having((words) => ['wak', 'wbk', 'wck'].filter((each) => words.includes(each)).length >= 2))
    expect(await ids('not text_match(text, "wak")')).toEqual(having((words) => !words.includes('wak')))
    const phrase = (first: string, second: string) => having((words) => words.some((each, i) => each === first && words[i + 1] === second))
    expect(await ids('phrase_match(text, "wak wbk")')).toEqual(phrase('wak', 'wbk'))
    expect((await ids('phrase_match(text, "wak wbk", 2)')).length).toBeGreaterThan(phrase('wak', 'wbk').length)
    expect(await ids('phrase_match(text, "wak wbk", slop=2) and price < 50')).toEqual((await ids('phrase_match(text, "wak wbk", 2)')).filter((id) => (articles.get(id)?.price ?? 0) < 50))
    for (const [filter, reason] of [
      ['text_match(price, "a")', 'text match operation on non-string is unsupported'],
      ['text_match(text, 1)', 'takes a string'],
      ['text_match(text, "a", minimum_should_match=0)', 'should be in range'],
      ['text_match(text, "a", slop=1)', 'minimum_should_match'],
      ['phrase_match(text, "a", -1)', 'negative'],
    ] as const) {
      const refused = await client.query({ collection_name, filter, output_fields: ['id'], limit: 10 })
      expect({ filter, isRefused: refused.status.error_code !== 'Success', reason: refused.status.reason }).toEqual({ filter, isRefused: true, reason: expect.stringContaining(reason) })
    }
  })

  it('partial upserts compute the words anew', async () => {
    const { client } = test
    const id = [...articles.keys()].at(-1) ?? 0
    const before = articles.get(id)
    articles.set(id, { text: 'quite another thing', price: before?.price ?? 0 })
    expect((await client.upsert({ collection_name, data: [{ id, text: 'quite another thing' }], partial_update: true })).status).toMatchObject({ error_code: 'Success' })
    expectHits(await search('another'), truth('another'), 20)
    expect((await client.upsert({ collection_name, data: [{ id, price: 1 }], partial_update: true })).status).toMatchObject({ error_code: 'Success' })
    expectHits(await search('another'), truth('another'), 20)
  })

  it('shows functions, and keeps what they fill to itself', async () => {
    const { client } = test
    const { schema } = await client.describeCollection({ collection_name })
    expect(schema.functions).toMatchObject([{ name: 'words', description: 'counts', type: 'BM25', input_field_names: ['text'], output_field_names: ['sparse'] }])
    expect(schema.fields.map((field) => field.is_function_output)).toEqual([false, false, true, false, false])
    const query = await client.query({ collection_name, filter: 'id >= 0', limit: 1, output_fields: ['id', 'sparse'] })
    expect(query.status).toMatchObject({ error_code: 'UnexpectedError', reason: 'not allowed to retrieve raw data of field sparse' })
    const all = await client.query({ collection_name, filter: 'id >= 0', limit: 1, output_fields: ['*'] })
    expect(Object.keys(all.data[0] ?? {}).sort()).toEqual(['id', 'price', 'text', 'vec'])
  })

  it('refuses functions and indexes that do not fit', async () => {
    const { client } = test
    const create = async (functions: object[], changed: Record<string, object> = {}): Promise<string> => {
      const request = { collection_name: 'wrong', fields: fields.map((field) => ({ ...field, ...changed[field.name] })), functions }
      // The SDK throws the status of a schema with functions that is refused.
      const answer: unknown = await client.createCollection(request as Parameters<MilvusClient['createCollection']>[0]).catch((error: unknown) => error)
      return JSON.stringify(answer instanceof Error ? answer.message : answer)
    }
    expect(await create([{ ...bm25, input_field_names: ['nope'] }])).toContain('function input field not found: nope')
    expect(await create([{ ...bm25, output_field_names: ['vec'] }])).toContain('BM25 function output field must be a SparseFloatVector field, but got FloatVector')
    expect(await create([{ ...bm25, input_field_names: ['price'] }])).toContain('BM25 function input field must be a VARCHAR/TEXT field')
    expect(await create([{ ...bm25, input_field_names: [] }])).toContain('exactly one input field')
    expect(await create([bm25, bm25])).toContain('duplicate function name: words')
    expect(await create([bm25, { ...bm25, name: 'other' }])).toContain('duplicate function output field name')
    expect(await create([bm25], { text: { enable_analyzer: false } })).toContain('must also enable_analyzer')
    expect(await create([bm25], { text: { analyzer_params: { type: 'klingon' } } })).toContain('unknown build-in analyzer type: klingon')
    expect(await create([{ ...bm25, type: FunctionType.TEXTEMBEDDING }])).toContain('not served by mini-milvus')
    const index = (metric_type: string, params: object, field_name = 'sparse') => client.createIndex({ collection_name, field_name, index_type: 'SPARSE_INVERTED_INDEX', metric_type, params } as Parameters<MilvusClient['createIndex']>[0])
    expect((await index('IP', {})).reason).toContain('index metric type of BM25 function output field must be BM25')
    expect((await index('BM25', { bm25_k1: 4 })).reason).toContain('should be in range [0, 3]')
    expect((await index('BM25', { bm25_b: 'x' })).reason).toContain('should be a number')
  })

  it('adds, alters and drops functions of a collection without rows', async () => {
    const { client } = test
    const name = 'later'
    expect(await client.createCollection({ collection_name: name, consistency_level: 'Strong', fields })).toMatchObject({ error_code: 'Success' })
    const metric = () => client.createIndex({ collection_name: name, field_name: 'sparse', index_type: 'SPARSE_INVERTED_INDEX', metric_type: 'BM25' })
    expect((await metric()).reason).toContain('only BM25 Function output field support BM25')
    expect(await client.addCollectionFunction({ collection_name: name, function: bm25 })).toMatchObject({ error_code: 'Success' })
    expect(await client.alterCollectionFunction({ collection_name: name, function_name: 'words', function: { ...bm25, description: 'new' } })).toMatchObject({ error_code: 'Success' })
    expect((await client.describeCollection({ collection_name: name })).schema.functions).toMatchObject([{ name: 'words', description: 'new' }])
    expect((await client.alterCollectionFunction({ collection_name: name, function_name: 'nope', function: { ...bm25, name: 'nope' } })).reason).toContain('function nope not exists')
    expect(await metric()).toMatchObject({ error_code: 'Success' })
    await client.createIndex({ collection_name: name, field_name: 'vec', index_type: 'FLAT', metric_type: 'L2' })
    await client.loadCollectionSync({ collection_name: name })
    expect((await client.insert({ collection_name: name, data: [{ id: 1, text: 'one apple', vec: [1, 2], price: 1 }] })).status).toMatchObject({ error_code: 'Success' })
    const found = await client.search({ collection_name: name, data: 'apple', anns_field: 'sparse', limit: 3, output_fields: ['id'] })
    expect(found.results.map((hit) => hit.id)).toEqual(['1'])
    expect((await client.dropCollectionFunction({ collection_name: name, function_name: 'words' })).reason).toContain('drop index sparse first')
    await client.releaseCollection({ collection_name: name })
    await client.dropIndex({ collection_name: name, field_name: 'sparse' })
    expect(await client.dropCollectionFunction({ collection_name: name, function_name: 'words' })).toMatchObject({ error_code: 'Success' })
    expect(await client.dropCollectionFunction({ collection_name: name, function_name: 'words' })).toMatchObject({ error_code: 'Success' })
    expect((await client.describeCollection({ collection_name: name })).schema.functions).toEqual([])
    expect((await client.addCollectionFunction({ collection_name: name, function: bm25 })).reason).toContain('has rows')
  })

  it('adds a function with its field over REST, where there are no rows', async () => {
    const { client } = test
    const name = 'grown'
    expect(await client.createCollection({ collection_name: name, consistency_level: 'Strong', fields: fields.filter((field) => field.name !== 'sparse') })).toMatchObject({ error_code: 'Success' })
    const add = async (collectionName: string, input: string, field = 'words'): Promise<{ code: number; message?: string }> => {
      const body = JSON.stringify({
        collectionName,
        schema: { fieldName: field, dataType: 'SparseFloatVector' },
        function: { name: `f_${field}`, type: 'BM25', inputFieldNames: [input], outputFieldNames: [field] },
      })
      const response = await fetch(`http://${test.node.address}/v2/vectordb/collections/add_function_field`, { method: 'POST', body })
      return (await response.json()) as { code: number; message?: string }
    }
    expect((await add(name, 'price')).message).toContain('BM25 function input field must be a VARCHAR/TEXT field')
    expect(await add(name, 'text')).toMatchObject({ code: 0 })
    expect((await client.describeCollection({ collection_name: name })).schema).toMatchObject({ functions: [{ name: 'f_words', output_field_names: ['words'] }] })
    await client.createIndex({ collection_name: name, field_name: 'words', index_type: 'AUTOINDEX' })
    await client.createIndex({ collection_name: name, field_name: 'vec', index_type: 'FLAT', metric_type: 'L2' })
    await client.loadCollectionSync({ collection_name: name })
    await client.insert({ collection_name: name, data: [{ id: 7, text: 'one apple', vec: [1, 2], price: 1 }] })
    const found = await client.search({ collection_name: name, data: 'apple', anns_field: 'words', limit: 3, output_fields: ['id'] })
    expect(found.results.map((hit) => hit.id)).toEqual(['7'])
    expect((await add(name, 'text', 'more')).message).toContain('has rows')
  })

  it('is there after a restart, in many languages and long texts', { timeout: 600_000 }, async () => {
    const dataDir = await mkdtemp(join(tmpdir(), 'timetick-full-text-'))
    const name = 'kept'
    const texts = ['milvus是一个向量数据库', '北京大学的学生', '全文检索 full text', 'x'.repeat(60), `${'long '.repeat(300)}needle`]
    try {
      const first = await startTestNode({ dataDir })
      const chinese = fields.map((field) => (field.name === 'text' ? { ...field, analyzer_params: { type: 'chinese' } } : field))
      expect(await first.client.createCollection({ collection_name: name, consistency_level: 'Strong', fields: chinese, functions: [bm25], index_params })).toMatchObject({ error_code: 'Success' })
      await first.client.loadCollectionSync({ collection_name: name })
      const data = Array.from({ length: 400 }, (_, id) => ({ id, text: texts[id % 5], vec: [id, 0], price: 0 }))
      expect((await first.client.insert({ collection_name: name, data: data.slice(0, 200) })).status).toMatchObject({ error_code: 'Success' })
      await first.client.flushSync({ collection_names: [name] })
      expect((await first.client.insert({ collection_name: name, data: data.slice(200) })).status).toMatchObject({ error_code: 'Success' })
      await first.close()
      const second = await startTestNode({ dataDir })
      try {
        await second.client.loadCollectionSync({ collection_name: name })
        for (const [query, piece] of [['数据库', 0], ['大学', 1], ['full', 2], ['needle', 4]] as const) {
          const found = await second.client.search({ collection_name: name, data: query, anns_field: 'sparse', limit: 100, output_fields: ['id'] })
          expect(found.status).toMatchObject({ error_code: 'Success' })
          expect(found.results.map((hit) => Number(hit.id))).toEqual(data.map(({ id }) => id).filter((id) => id % 5 === piece))
        }
        const { schema } = await second.client.describeCollection({ collection_name: name })
        expect(schema.functions).toMatchObject([{ name: 'words', type: 'BM25' }])
      } finally {
        await second.close()
      }
    } finally {
      await rm(dataDir, { recursive: true, force: true })
    }
  })

  it('over REST takes texts, and no vectors', async () => {
    const search = async (data: unknown[]): Promise<{ code: number; message?: string; data: { id: number; distance: number }[] }> => {
      const body = JSON.stringify({ collectionName: collection_name, annsField: 'sparse', data, limit: 5, outputFields: ['id'] })
      const response = await fetch(`http://${test.node.address}/v2/vectordb/entities/search`, { method: 'POST', body })
      return (await response.json()) as Awaited<ReturnType<typeof search>>
    }
    const found = await search(['wak wbl'])
    expect(found.code).toBe(0)
    expectHits(found.data.map(({ id, distance }) => ({ id: String(id), score: distance })), truth('wak wbl'), 5)
    expect((await search([{ 1: 0.5 }])).message).toContain('please provide varchar/text for BM25 Function based search')
  })

  it('runs analyzers: of parameters, and of fields', async () => {
    const { client } = test
    const run = await client.runAnalyzer({ analyzer_params: { type: 'english' }, text: ['Running é apples', ''], with_detail: true, with_hash: true })
    expect(run.status).toMatchObject({ error_code: 'Success' })
    expect(run.results[0]?.tokens).toMatchObject([
      { token: 'run', start_offset: '0', end_offset: '7', position: '0' },
      { token: 'é', start_offset: '8', end_offset: '10', position: '1' },
      { token: 'appl', start_offset: '11', end_offset: '17', position: '2' },
    ])
    expect(run.results[1]?.tokens).toEqual([])
    const ofField = await client.runAnalyzer({ collection_name, field_name: 'text', text: 'A b' })
    expect(ofField.results[0]?.tokens.map(({ token }) => token)).toEqual(['a', 'b'])
    for (const [request, reason] of [
      [{ analyzer_params: { type: 'klingon' } }, 'unknown build-in analyzer type: klingon'],
      [{ collection_name, field_name: 'price' }, 'does not enable analyzer'],
      [{ collection_name, field_name: 'nope' }, 'field nope not exist'],
      [{ collection_name }, 'must set field name'],
    ] as const) {
      expect((await client.runAnalyzer({ text: 'x', ...request })).status.reason).toContain(reason)
    }
  })
})
