/** Rule `flush` over REST: a call commits by itself, or belongs to a session that is opened, used, flushed, ended, and forgotten. */
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestNode, type TestNode } from './support.ts'

const collectionName = 'rest'
const HEADER = 'timetick-session'
/** For conditions on a busy machine. */
const slow = { timeout: 20_000 }

describe('REST under rule flush', () => {
  let test: TestNode
  let next = 0
  beforeAll(async () => {
    test = await startTestNode({ inMemory: true, parameters: { 'clients.sessionTtl': '3000ms' } })
    await test.client.createCollection({ collection_name: collectionName, dimension: 2 })
    await test.client.alterCollectionProperties({ collection_name: collectionName, properties: { 'timetick.visibility': 'flush' } })
  })
  afterAll(() => test.close())

  interface Answer {
    readonly code: number
    readonly message: string
    readonly session: string | null
    readonly data: readonly Record<string, unknown>[]
  }

  async function post(path: string, body: object, session?: string): Promise<Answer> {
    const headers = session === undefined ? {} : { [HEADER]: session }
    const response = await fetch(`http://${test.node.address}/v2/vectordb/${path}`, { method: 'POST', body: JSON.stringify({ collectionName, ...body }), headers })
    return { ...((await response.json()) as Omit<Answer, 'session'>), session: response.headers.get(HEADER) }
  }

  const rows = (count = 10) => Array.from({ length: count }, () => ({ id: next++, vector: [1, 2] }))
  const filterOf = (data: readonly { id: number }[]): string => `id in [${data.map(({ id }) => id).join(',')}]`
  const insert = (data: readonly object[], session?: string) => post('entities/insert', { data }, session)
  async function seen(data: readonly { id: number }[]): Promise<number> {
    const { code, data: found } = await post('entities/query', { filter: filterOf(data), outputFields: ['id'], consistencyLevel: 'Eventually' })
    expect(code).toBe(0)
    return found.length
  }

  it('a write without a session is visible when it is answered, a delete and an upsert too', async () => {
    const data = rows()
    expect((await insert(data)).code).toBe(0)
    expect(await seen(data)).toBe(10)
    expect((await post('entities/upsert', { data })).code).toBe(0)
    expect(await seen(data)).toBe(10)
    expect((await post('entities/delete', { filter: filterOf(data.slice(0, 4)) })).code).toBe(0)
    expect(await seen(data)).toBe(6)
  })

  it('in a session it is visible after the session’s flush', async () => {
    const [A, B] = [rows(), rows()]
    await insert(B)
    const { code, session } = await insert(A, 'new')
    expect([code, session?.length]).toEqual([0, 22])
    const id = session ?? ''
    expect((await post('entities/delete', { filter: filterOf(B) }, id)).session).toBe(id)
    expect([await seen(A), await seen(B)]).toEqual([0, 10])
    // Of nobody else.
    await post('collections/flush', {})
    await test.client.flush({ collection_names: [collectionName] })
    expect([await seen(A), await seen(B)]).toEqual([0, 10])
    expect((await post('collections/flush', {}, id)).code).toBe(0)
    expect([await seen(A), await seen(B)]).toEqual([10, 0])
  })

  it('calls of a session that do not wait for each other keep their order', async () => {
    const { session } = await post('collections/list', {}, 'new')
    const [host = '', port = ''] = test.node.address.split(':')
    for (let round = 0; round < 3; round++) {
      const data = rows(90)
      const request = (path: string, body: object): string => {
        const text = JSON.stringify({ collectionName, ...body })
        return `POST /v2/vectordb/${path} HTTP/1.1\r\nhost: test\r\n${HEADER}: ${session}\r\ncontent-length: ${text.length}\r\n\r\n${text}`
      }
      const socket = connect(Number(port), host)
      let answers = ''
      socket.on('data', (chunk: Buffer) => (answers += chunk.toString()))
      socket.write(request('entities/insert', { data }) + request('entities/delete', { filter: filterOf(data.slice(0, 10)) }) + request('collections/flush', {}))
      await expect.poll(() => answers.split('"code":0').length, slow).toBe(4)
      socket.destroy()
      expect(await seen(data)).toBe(80)
    }
  })

  it('what a session has not flushed is dropped at its end', async () => {
    const data = rows()
    const { session } = await insert(data, 'new')
    expect((await post('collections/list', {}, `${session}; end`)).code).toBe(0)
    const after = await post('collections/flush', {}, session ?? '')
    expect(after).toMatchObject({ code: 1100, message: expect.stringContaining('the session is unknown or has ended') as string })
    expect(await seen(data)).toBe(0)
  })

  it('and when nobody used it for its time', async () => {
    const data = rows()
    const { session } = await insert(data, 'new')
    const change = { collection_name: collectionName, properties: { 'timetick.visibility': 'flush' } }
    await test.client.alterCollectionProperties(change)
    const drop = () => test.client.dropCollectionProperties({ collection_name: collectionName, properties: ['timetick.visibility'] }).then(({ error_code }) => error_code, (status: { error_code: string }) => status.error_code)
    expect(await drop()).toBe('IllegalArgument')
    await expect.poll(drop, slow).toBe('Success')
    await test.client.alterCollectionProperties(change)
    expect((await post('collections/flush', {}, session ?? '')).code).toBe(1100)
    expect(await seen(data)).toBe(0)
  })

  it('a session that never was, or a header that is none, is refused', async () => {
    expect(await insert(rows(), 'nobodys-session')).toMatchObject({ code: 1100 })
    expect(await insert(rows(), 'open sesame')).toMatchObject({ code: 1100, message: expect.stringContaining('must be "new"') as string })
  })

  it('a write that fails leaves nothing', async () => {
    const data = rows()
    expect((await insert([...data, { id: next++, vector: [1, 2, 3] }])).code).not.toBe(0)
    expect(await seen(data)).toBe(0)
  })
})
