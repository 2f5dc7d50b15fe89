/** What the end-to-end tests share: a node in this process, the official client, seeded data, truth by brute force. */
import { MilvusClient } from '@zilliz/milvus2-sdk-node'
import { startMiniMilvus, type MiniMilvus, type MiniMilvusOptions } from '../../src/index.ts'
import { isOnCluster, startChosenNode } from '../cluster/chosen.ts'
import { onChosenStores } from '../stores/chosen.ts'

export interface TestNode {
  readonly node: MiniMilvus
  readonly client: MilvusClient
  close(): Promise<void>
}

export async function startTestNode(given: MiniMilvusOptions = { inMemory: true }): Promise<TestNode> {
  const node = isOnCluster ? await startChosenNode(given) : await startMiniMilvus({ port: 0, ...(await onChosenStores(given)) })
  // A port that an earlier node had comes with that one's broken connection, where clients share them.
  const client = new MilvusClient({ address: node.address, logLevel: 'error', channelOptions: { 'grpc.use_local_subchannel_pool': 1 } })
  await client.connectPromise
  return {
    node,
    client,
    async close() {
      await client.closeConnection()
      await node.close()
    },
  }
}

/** A seeded generator of numbers in [0, 1). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

export function gaussian(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}

/** Vectors like embeddings: 32 Gaussian dimensions mixed into `dim` by a fixed matrix, plus noise. */
export function latentVectors(count: number, dim: number, seed: number, latent = 32): Float32Array {
  const mix = Float64Array.from({ length: latent * dim }, ((random) => () => gaussian(random))(seededRandom(42)))
  const random = seededRandom(seed)
  const vectors = new Float32Array(count * dim)
  const hidden = new Float64Array(latent)
  for (let row = 0; row < count; row++) {
    for (let l = 0; l < latent; l++) hidden[l] = gaussian(random)
    for (let d = 0; d < dim; d++) {
      let sum = 0
      for (let l = 0; l < latent; l++) sum += (hidden[l] as number) * (mix[l * dim + d] as number)
      vectors[row * dim + d] = sum / Math.sqrt(latent) + 0.2 * gaussian(random)
    }
  }
  return vectors
}

/** Rows of the k nearest by squared distance, exactly. */
export function nearest(vectors: Float32Array, dim: number, query: Float32Array, k: number, allowed: (row: number) => boolean = () => true): number[] {
  const found: { row: number; score: number }[] = []
  for (let row = 0; row < vectors.length / dim; row++) {
    if (!allowed(row)) continue
    let score = 0
    for (let d = 0; d < dim; d++) score += ((vectors[row * dim + d] as number) - (query[d] as number)) ** 2
    found.push({ row, score })
  }
  found.sort((a, b) => a.score - b.score)
  return found.slice(0, k).map(({ row }) => row)
}

export function rowOf(vectors: Float32Array, dim: number, row: number): number[] {
  return Array.from(vectors.subarray(row * dim, (row + 1) * dim))
}
