/** The application: texts that are found by what they are about. It knows the Milvus client, and nothing of who serves it. */
import { DataType, type MilvusClient } from '@zilliz/milvus2-sdk-node'
import type { Embedding } from './embed.ts'

export interface Note {
  readonly id: string
  readonly topic: string
  readonly text: string
}

export interface Found extends Note {
  /** Cosine: 1 is the same direction. */
  readonly score: number
}

export interface Library {
  add(notes: readonly Note[]): Promise<void>
  /** The `limit` nearest notes, of one topic if it is given. Sees everything that was added before the call. */
  find(question: string, options?: { readonly limit?: number; readonly topic?: string }): Promise<Found[]>
  remove(ids: readonly string[]): Promise<void>
}

/** Opens the collection, and makes it when it is not there. */
export async function openLibrary(client: MilvusClient, collection_name: string, { dimension, embed }: Embedding): Promise<Library> {
  if ((await client.hasCollection({ collection_name })).value === true) await client.loadCollectionSync({ collection_name })
  else {
    const created = await client.createCollection({
      collection_name,
      fields: [
        { name: 'id', data_type: DataType.VarChar, is_primary_key: true, max_length: 64 },
        { name: 'topic', data_type: DataType.VarChar, max_length: 64 },
        { name: 'text', data_type: DataType.VarChar, max_length: 4096 },
        { name: 'vector', data_type: DataType.FloatVector, dim: dimension },
      ],
      index_params: [{ field_name: 'vector', index_type: 'HNSW', metric_type: 'COSINE', params: { M: 16, efConstruction: 100 } }],
      consistency_level: 'Strong',
    })
    check(created) // with an index, the client also loads it
  }

  return {
    async add(notes) {
      const data = notes.map(({ id, topic, text }) => ({ id, topic, text, vector: embed(text) }))
      check((await client.upsert({ collection_name, data })).status)
    },
    async find(question, { limit = 3, topic } = {}) {
      const where = topic === undefined ? {} : { filter: 'topic == {topic}', exprValues: { topic } }
      const { status, results } = await client.search({ collection_name, data: embed(question), limit, output_fields: ['id', 'topic', 'text'], ...where })
      check(status)
      return results.map((hit) => ({ id: hit.id, topic: String(hit['topic']), text: String(hit['text']), score: hit.score }))
    },
    async remove(ids) {
      check((await client.delete({ collection_name, ids: [...ids] })).status)
    },
  }
}

function check({ error_code, reason }: { readonly error_code: string | number; readonly reason: string }): void {
  if (error_code !== 'Success') throw new Error(`Milvus: ${error_code}: ${reason}`)
}
