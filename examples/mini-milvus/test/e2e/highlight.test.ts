/** Lexical highlights of searches, through the official client: expected by taking each text apart here. */
import { DataType, FunctionType, HighlightType, type RowData } from '@zilliz/milvus2-sdk-node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { seededRandom, startTestNode, type TestNode } from './support.ts'

const collection_name = 'marked'
const random = seededRandom(17)
const WORDS = ['apple', 'banana', 'cherry', 'date', 'elder', 'fig']
const rows = Array.from({ length: 120 }, (_, id) => ({
  id,
  vec: [id, 0],
  kind: id % 4,
  text: Array.from({ length: 1 + Math.floor(random() * 12) }, () => WORDS[Math.floor(6 * random() ** 2)] as string).join(' '),
  note: id % 5 === 0 ? null : `Note ${id}: ${WORDS[id % 6] as string}`,
}))

interface Hit {
  readonly id: string
  readonly score: number
  readonly highlight?: Record<string, { fragments: string[]; scores: number[] }>
}

/** Of whole texts: one fragment from the first of the words to the end. */
function expected(text: string | null | undefined, words: readonly string[], pre = '<em>', post = '</em>'): string[] {
  const marked = (text ?? '').replaceAll(/\w+/g, (word) => (words.includes(word) ? `${pre}${word}${post}` : word))
  const start = marked.indexOf(pre)
  return start < 0 ? [] : [marked.slice(start)]
}

describe('highlights', () => {
  let test: TestNode
  beforeAll(async () => {
    test = await startTestNode()
    const { client } = test
    const created = await client.createCollection({
      collection_name,
      consistency_level: 'Strong',
      shards_num: 2,
      fields: [
        { name: 'id', data_type: DataType.Int64, is_primary_key: true },
        { name: 'vec', data_type: DataType.FloatVector, dim: 2 },
        { name: 'kind', data_type: DataType.Int32 },
        { name: 'text', data_type: DataType.VarChar, max_length: 500, enable_analyzer: true },
        { name: 'note', data_type: DataType.VarChar, max_length: 100, enable_analyzer: true, enable_match: true, nullable: true },
        { name: 'bare', data_type: DataType.VarChar, max_length: 100, nullable: true },
        { name: 'sparse', data_type: DataType.SparseFloatVector },
      ],
      functions: [{ name: 'words', description: '', type: FunctionType.BM25, input_field_names: ['text'], output_field_names: ['sparse'], params: {} }],
      index_params: [
        { field_name: 'sparse', index_type: 'SPARSE_INVERTED_INDEX', metric_type: 'BM25' },
        { field_name: 'vec', index_type: 'FLAT', metric_type: 'L2' },
      ],
    })
    expect(created).toMatchObject({ error_code: 'Success' })
    await client.loadCollectionSync({ collection_name })
    expect((await client.insert({ collection_name, data: rows.slice(0, 70) as unknown as RowData[] })).status).toMatchObject({ error_code: 'Success' })
    await client.flushSync({ collection_names: [collection_name] })
    await client.insert({ collection_name, data: rows.slice(70) as unknown as RowData[] })
  }, 240_000)
  afterAll(() => test.close())

  const ask = (more: object) => test.client.search({ collection_name, limit: 20, anns_field: 'sparse', output_fields: ['id'], ...more })
  async function search(more: object): Promise<Hit[]> {
    const answer = await ask(more)
    expect(answer.status).toMatchObject({ error_code: 'Success' })
    return answer.results
  }
  const lexical = (more: object = {}) => ({ type: HighlightType.Lexical, highlight_search_text: true, ...more })
  const rowOf = ({ id }: Hit) => rows[Number(id)] as (typeof rows)[number]

  it('marks what a full-text search looked for, in fields that it returns and in others', async () => {
    for (const output_fields of [['id'], ['id', 'text']]) {
      const hits = await search({ data: 'cherry fig', output_fields, highlighter: lexical() })
      expect(hits).toHaveLength(20)
      for (const hit of hits) {
        expect(hit.highlight).toEqual({ text: { fragments: expected(rowOf(hit).text, ['cherry', 'fig']), scores: [] } })
        expect(hit).not.toHaveProperty(output_fields.length === 1 ? 'text' : 'note')
      }
    }
    for (const hit of await search({ data: 'cherry' })) expect(hit.highlight).toBeUndefined()
  })

  it('changes neither hits nor scores, and follows them through pages, groups, orders and functions', async () => {
    const decay = { name: 'd', type: 3, input_field_names: ['kind'], params: { reranker: 'decay', function: 'linear', origin: 0, scale: 10, decay: 0.5 } }
    for (const more of [{}, { offset: 7, limit: 5 }, { group_by_field: 'kind', group_size: 2 }, { order_by_fields: [{ field: 'id', order: 'desc' }] }, { rerank: decay }, { filter: 'kind > 1' }]) {
      const wanted = { data: 'banana elder', ...more }
      const [plain, marked] = [await search(wanted), await search({ ...wanted, highlighter: lexical() })]
      expect(marked.map(({ id, score }) => [id, score])).toEqual(plain.map(({ id, score }) => [id, score]))
      for (const hit of marked) expect(hit.highlight?.['text']?.fragments).toEqual(expected(rowOf(hit).text, ['banana', 'elder']))
    }
  })

  it('marks for each query its own words', async () => {
    const answers = (await search({ data: ['fig', 'date'], highlighter: lexical({ pre_tags: ['<b>'], post_tags: ['</b>'] }) })) as unknown as Hit[][]
    expect(answers).toHaveLength(2)
    answers.forEach((hits, query) => {
      expect(hits.length).toBeGreaterThan(0)
      for (const hit of hits) expect(hit.highlight?.['text']?.fragments).toEqual(expected(rowOf(hit).text, [['fig', 'date'][query] as string], '<b>', '</b>'))
    })
  })

  it('marks what a filter looks for, of any search; of no text nothing', async () => {
    const highlighter = lexical({ highlight_search_text: false, highlight_query: [{ type: 'TextMatch', field: 'note', text: 'FIG cherry' }, { type: 'TextMatch', field: 'text', text: 'date' }] })
    const hits = await search({ data: [3, 0], anns_field: 'vec', limit: 30, highlighter })
    expect(hits).toHaveLength(30)
    for (const hit of hits) {
      expect(hit.highlight?.['note']?.fragments).toEqual(expected(rowOf(hit).note, ['fig', 'cherry']))
      expect(hit.highlight?.['text']?.fragments).toEqual(expected(rowOf(hit).text, ['date']))
    }
    const both = await search({ data: 'fig', highlighter: lexical({ highlight_query: [{ type: 'TextMatch', field: 'text', text: 'date' }] }) })
    for (const hit of both) expect(hit.highlight?.['text']?.fragments).toEqual(expected(rowOf(hit).text, ['fig', 'date']))
  })

  it.each([
    [{ pre_tags: [] }, /pre_tags cannot be empty list/],
    [{ post_tags: [7] }, /unmarshal post_tags as string array failed/],
    [{ pre_tags: 'x' }, /unmarshal pre_tags as string array failed/],
    [{ fragment_size: 0 }, /invalid fragment_size: 0/],
    [{ fragment_size: 0.1 }, /invalid fragment_size: 0.1/],
    [{ fragment_offset: -1 }, /invalid fragment_offset: -1/],
    [{ num_of_fragments: -1 }, /invalid num_of_fragments: -1/],
    [{ num_of_fragments: '9'.repeat(30) }, /invalid num_of_fragments/],
    [{ highlight_search_text: 'perhaps' }, /unmarshal highlight_search_text as bool failed/],
    [{ highlight_query: {} }, /unmarshal highlight queries as json array failed/],
    [{ highlight_query: [7] }, /item in array is not json object/],
    [{ highlight_query: [{ type: 'TextMatch', field: 'note' }] }, /must set `text` in query/],
    [{ highlight_query: [{ type: 'Phrase', field: 'note', text: 'x' }] }, /invalid highlight query type: Phrase/],
    [{ highlight_query: [{ type: 'TextMatch', field: 'nowhere', text: 'x' }] }, /highlight field not found in schema: nowhere/],
    [{ highlight_query: [{ type: 'TextMatch', field: 'bare', text: 'x' }] }, /field bare has no analyzer/],
    [{ highlight_query: [{ type: 'TextMatch', field: 'kind', text: 'x' }] }, /field kind has no analyzer/],
    [{ highlight_query: Array.from({ length: 65 }, () => ({ type: 'TextMatch', field: 'note', text: 'x' })) }, /at most 64 queries/],
    [{ highlight_query: [{ type: 'TextMatch', field: 'note', text: 'x'.repeat(70_000) }] }, /at most 65536 characters/],
    [{ fragment_offset: 1e9, fragment_size: 1, num_of_fragments: 1e9, pre_tags: ['x'.repeat(2 ** 22)] }, /more than 33554432 characters/],
    [{ type: HighlightType.Semantic, queries: ['x'], input_fields: ['text'] }, /semantic highlighter is not served/],
    [{ type: 7 }, /unsupported highlight type: 7/],
  ])('refuses what Milvus refuses, and what has no end (%#)', async (more, reason) => {
    const { status } = await ask({ data: 'banana', highlighter: lexical(more) })
    expect(status.error_code).not.toBe('Success')
    expect(status.reason).toMatch(reason)
  })

  it('has no search text to mark where the search looks for a vector', async () => {
    const { status } = await ask({ data: [1, 2], anns_field: 'vec', highlighter: lexical() })
    expect(status.reason).toMatch(/Search highlight only support with metric type "BM25"/)
  })
})
