/** Milvus vector stores that nobody here wrote, unmodified, from npm: they add, search with filters and delete. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestNode, type TestNode } from '../e2e/support.ts'
import { applicationModule, hasApplications } from './installed.ts'

const texts = [
  { id: 'bread', topic: 'kitchen', year: 2021, text: 'knead the bread dough and bake it in a hot oven' },
  { id: 'soup', topic: 'kitchen', year: 2023, text: 'simmer the soup of tomatoes and basil slowly' },
  { id: 'roses', topic: 'garden', year: 2022, text: 'prune the roses in early spring' },
  { id: 'tomatoes', topic: 'garden', year: 2024, text: 'water the tomatoes in the morning' },
]

/** For conditions on a busy machine. */
const slow = { timeout: 20_000 }

/** Words as directions: the same text always gives the same vector. */
function embed(text: string, dim: number): number[] {
  const vector = Array.from({ length: dim }, () => 0)
  for (const word of text.toLowerCase().split(/\W+/)) {
    let hash = 7
    for (const char of word) hash = (Math.imul(hash, 31) + char.charCodeAt(0)) >>> 0
    vector[hash % dim] = (vector[hash % dim] ?? 0) + 1
  }
  const length = Math.hypot(...vector)
  return vector.map((item) => item / length)
}

/** Squared distances over all texts, computed here. */
function nearest(question: string, dim: number, keep: (text: (typeof texts)[number]) => boolean = () => true): { id: string; distance: number }[] {
  const query = embed(question, dim)
  return texts
    .filter(keep)
    .map(({ id, text }) => ({ id, distance: embed(text, dim).reduce((sum, item, i) => sum + (item - (query[i] as number)) ** 2, 0) }))
    .sort((a, b) => a.distance - b.distance)
}

interface Doc {
  readonly pageContent: string
  readonly metadata: Record<string, unknown>
}

interface LangChainStore {
  readonly client: { closeConnection(): Promise<unknown> }
  addDocuments(documents: readonly Doc[], options?: { ids: readonly string[] }): Promise<void>
  similaritySearch(query: string, k: number, filter?: string): Promise<Doc[]>
  similaritySearchWithScore(query: string, k: number, filter?: string): Promise<[Doc, number][]>
  delete(params: { filter?: string; ids?: readonly string[] }): Promise<void>
}

describe.skipIf(!hasApplications())('applications from npm', () => {
  let test: TestNode
  beforeAll(async () => {
    test = await startTestNode()
  }, 60_000)
  afterAll(() => test.close())

  describe('the Milvus store of LangChain.js', () => {
    const DIM = 64
    let store: LangChainStore

    beforeAll(async () => {
      const { Milvus } = await applicationModule<{ Milvus: new (embeddings: object, args: object) => LangChainStore }>('@langchain/community/vectorstores/milvus')
      const embeddings = {
        embedQuery: (text: string) => Promise.resolve(embed(text, DIM)),
        embedDocuments: (all: readonly string[]) => Promise.resolve(all.map((text) => embed(text, DIM))),
      }
      store = new Milvus(embeddings, { collectionName: 'langchain', clientConfig: { address: test.node.address, logLevel: 'error' }, autoId: false, primaryField: 'doc_id' })
      const documents = texts.map(({ id, topic, year, text }) => ({ pageContent: text, metadata: { doc_id: id, topic, year } }))
      await store.addDocuments(documents)
    }, 60_000)
    afterAll(() => store.client.closeConnection())

    it('finds the nearest texts, with their distances', async () => {
      const found = await store.similaritySearchWithScore('bake bread in the oven', 4)
      const truth = nearest('bake bread in the oven', DIM)
      expect(found.map(([{ metadata }]) => metadata['doc_id'])).toEqual(truth.map(({ id }) => id))
      found.forEach(([{ pageContent }, distance], i) => {
        expect(distance).toBeCloseTo(truth[i]?.distance as number, 4)
        expect(pageContent).toBe(texts.find(({ id }) => id === truth[i]?.id)?.text)
      })
    })

    it('filters by metadata', async () => {
      const found = await store.similaritySearch('tomatoes', 4, 'topic == "garden" and year > 2022')
      expect(found.map(({ metadata }) => metadata)).toMatchObject([{ doc_id: 'tomatoes', topic: 'garden', year: 2024 }])
      const kitchen = await store.similaritySearch('tomatoes', 4, 'topic in ["kitchen"]')
      expect(kitchen.map(({ metadata }) => metadata['doc_id'])).toEqual(nearest('tomatoes', DIM, ({ topic }) => topic === 'kitchen').map(({ id }) => id))
    })

    it('replaces and deletes, by id and by filter', async () => {
      await store.addDocuments([{ pageContent: 'prune the roses in early spring', metadata: { doc_id: 'soup', topic: 'garden', year: 2025 } }])
      expect((await store.similaritySearch('prune roses', 2)).map(({ metadata }) => String(metadata['doc_id'])).sort()).toEqual(['roses', 'soup'])
      await store.delete({ ids: ['soup'] })
      await store.delete({ filter: 'year < 2022' })
      const left = await store.similaritySearch('anything', 10)
      expect(left.map(({ metadata }) => String(metadata['doc_id'])).sort()).toEqual(['roses', 'tomatoes'])
    })
  })

  describe('the Milvus store of LlamaIndex.TS', () => {
    // The store fixes the width of its vectors.
    const DIM = 1536
    let store: LlamaStore
    let nodeOf: (text: (typeof texts)[number]) => object

    interface LlamaStore {
      add(nodes: readonly object[]): Promise<string[]>
      delete(id: string): Promise<void>
      query(query: object): Promise<{ ids: string[]; similarities: number[]; nodes: { text: string; metadata: Record<string, unknown> }[] }>
      client(): { closeConnection(): Promise<unknown> }
    }

    beforeAll(async () => {
      const { MilvusVectorStore } = await applicationModule<{ MilvusVectorStore: new (init: object) => LlamaStore }>('@llamaindex/milvus')
      const { TextNode } = await applicationModule<{ TextNode: new (init: object) => object }>('@llamaindex/core/schema')
      nodeOf = ({ id, topic, year, text }) => new TextNode({ id_: id, text, metadata: { topic, year }, embedding: embed(text, DIM) })
      // It asks for a model and does not use it: vectors come with nodes and queries.
      const params = { configOrAddress: { address: test.node.address, logLevel: 'error' } }
      store = new MilvusVectorStore({ collection: 'llama', embeddingModel: {}, params })
      expect(await store.add(texts.map(nodeOf))).toEqual(texts.map(({ id }) => id))
    }, 60_000)
    afterAll(() => store.client().closeConnection())

    const query = (question: string, more: object = {}) => store.query({ queryEmbedding: embed(question, DIM), similarityTopK: 4, mode: 'default', ...more })

    it('finds the nearest texts', async () => {
      await expect.poll(async () => (await query('bake bread in the oven')).ids, slow).toHaveLength(4)
      const found = await query('bake bread in the oven')
      const truth = nearest('bake bread in the oven', DIM)
      expect(found.ids).toEqual(truth.map(({ id }) => id))
      // Its index asks for no metric: Milvus's own, cosine.
      found.similarities.forEach((score, i) => expect(score).toBeCloseTo(1 - (truth[i]?.distance as number) / 2, 4))
      expect(found.nodes[0]).toMatchObject({ text: texts[0]?.text, metadata: { topic: 'kitchen', year: 2021 } })
    })

    it('filters by metadata', async () => {
      const filters = (condition: string, ...all: readonly object[]) => ({ filters: { condition, filters: all } })
      const garden = await query('tomatoes', filters('and', { key: 'topic', value: 'garden', operator: '==' }, { key: 'year', value: 2023, operator: '>' }))
      expect(garden.ids).toEqual(['tomatoes'])
      const either = await query('tomatoes', filters('or', { key: 'topic', value: ['garden'], operator: 'in' }, { key: 'year', value: 2021, operator: '<=' }))
      expect([...either.ids].sort()).toEqual(['bread', 'roses', 'tomatoes'])
      expect((await query('tomatoes', filters('and', { key: 'topic', value: ['garden'], operator: 'nin' }))).ids.sort()).toEqual(['bread', 'soup'])
    })

    it('deletes', async () => {
      await store.delete('bread')
      await expect.poll(async () => [...(await query('bread')).ids].sort(), slow).toEqual(['roses', 'soup', 'tomatoes'])
    })
  })
})
