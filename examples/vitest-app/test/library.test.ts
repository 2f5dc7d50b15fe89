/** A whole mini-milvus in the process of the tests: nothing to install, no container, nothing left behind. */
import { MilvusClient } from '@zilliz/milvus2-sdk-node'
import { startMiniMilvus, type MiniMilvus } from 'mini-milvus'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { toyEmbedding } from '../src/embed.ts'
import { openLibrary, type Library } from '../src/library.ts'

const notes = [
  { id: 'bread', topic: 'kitchen', text: 'Knead the bread dough, let it rise, bake it in a hot oven.' },
  { id: 'soup', topic: 'kitchen', text: 'Simmer the soup of tomatoes and basil slowly.' },
  { id: 'roses', topic: 'garden', text: 'Prune the roses in early spring.' },
  { id: 'tomatoes', topic: 'garden', text: 'Water the tomatoes in the morning, tie the plants to sticks.' },
]

describe('library', () => {
  let node: MiniMilvus
  let client: MilvusClient
  let library: Library
  let count = 0

  beforeAll(async () => {
    node = await startMiniMilvus({ inMemory: true, port: 0 }) // any free port: test files may run side by side
    client = new MilvusClient({ address: node.address, logLevel: 'error' })
    await client.connectPromise
  })

  afterAll(async () => {
    await client.closeConnection()
    await node.close()
  })

  beforeEach(async () => {
    library = await openLibrary(client, `notes_${++count}`, toyEmbedding) // a collection of its own for each test
    await library.add(notes)
  })

  it('finds what a question is about', async () => {
    expect((await library.find('how to bake bread')).map(({ id }) => id)[0]).toBe('bread')
    expect((await library.find('pruning a rose', { limit: 1 })).map(({ id }) => id)).toEqual(['roses'])
  })

  it('finds in one topic', async () => {
    const anywhere = await library.find('tomatoes', { limit: 2 })
    expect(anywhere.map(({ id }) => id).sort()).toEqual(['soup', 'tomatoes'])
    expect((await library.find('tomatoes', { topic: 'kitchen' })).map(({ id }) => id)).toEqual(['soup', 'bread'])
    expect(await library.find('tomatoes', { topic: 'a "quoted" topic' })).toEqual([])
  })

  it('scores the same text highest', async () => {
    const [best] = await library.find('Prune the roses in early spring.')
    expect(best).toMatchObject({ id: 'roses', topic: 'garden' })
    expect(best?.score).toBeCloseTo(1, 4)
  })

  it('sees what was added, replaced and removed at once', async () => {
    await library.add([{ id: 'soup', topic: 'kitchen', text: 'Prune the roses in early spring.' }])
    expect((await library.find('prune roses', { limit: 2 })).map(({ id }) => id).sort()).toEqual(['roses', 'soup'])
    await library.remove(['roses', 'soup'])
    expect((await library.find('prune roses', { limit: 10 })).map(({ id }) => id).sort()).toEqual(['bread', 'tomatoes'])
  })

  it('opens a collection that is there', async () => {
    const again = await openLibrary(client, `notes_${count}`, toyEmbedding)
    expect(await again.find('bread', { limit: 1 })).toMatchObject([{ id: 'bread' }])
  })
})
