/** A user on the page: sees what its rights say now, not what they said when it came. */
import { MilvusClient, RbacObjects } from '@zilliz/milvus2-sdk-node'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { WebSocket } from 'ws'
import { startMiniMilvus, type MiniMilvus } from '../../src/index.ts'

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 })

interface Message {
  readonly t: string
  readonly reason?: string
  readonly rows?: readonly { readonly key: string; readonly row: { readonly name?: string } }[]
  readonly e?: readonly { readonly type: string; readonly data: { readonly name?: string } }[]
}

let node: MiniMilvus
let root: MilvusClient
const password = 'long enough'
const base = () => `http://${node.metricsAddress}/insight/v1`

beforeAll(async () => {
  node = await startMiniMilvus({ inMemory: true, port: 0, metricsPort: 0, parameters: { 'authorization.enabled': true } })
  root = new MilvusClient({ address: node.address, username: 'root', password: 'Milvus', logLevel: 'error' })
  await root.connectPromise
  for (const collection_name of ['mine', 'theirs']) await root.createCollection({ collection_name, dimension: 4 })
  await root.createUser({ username: 'alice', password })
  await root.createRole({ roleName: 'readers' })
  await root.addUserToRole({ username: 'alice', roleName: 'readers' })
  for (const objectName of ['mine', 'theirs']) await grant(objectName)
})
afterAll(async () => {
  await root?.closeConnection()
  await node?.close()
})

const grant = (objectName: string) => root.grantRolePrivilege({ roleName: 'readers', object: RbacObjects.Collection, objectName, privilegeName: 'Search' })

async function login(user = 'alice'): Promise<string> {
  const answer = await fetch(`${base()}/login`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ user, password }) })
  return ((await answer.json()) as { token: string }).token
}

/** A socket that said hello with what it is given, and follows all collections. */
async function follow(hello: object) {
  const socket = new WebSocket(`ws://${node.metricsAddress}/insight/v1/ws`, 'insight.v1', { origin: `http://${node.metricsAddress}` })
  const messages: Message[] = []
  let code: number | undefined
  socket.on('message', (data: Buffer) => messages.push(JSON.parse(data.toString()) as Message))
  socket.once('close', (closed) => (code = closed))
  await new Promise((resolve) => socket.once('open', resolve))
  socket.send(JSON.stringify({ t: 'hello', ...hello }))
  socket.send('{"t":"sub","id":"s","cluster":"local","topics":["collection"]}')
  /** Of the last snapshot. */
  const names = (): string[] => {
    const begin = messages.findLastIndex(({ t }) => t === 'reset')
    return messages.slice(begin).flatMap(({ rows = [] }) => rows.map(({ row }) => row.name ?? '')).sort()
  }
  return { socket, messages, names, code: () => code }
}

test('rights that are withdrawn while a websocket is open, by token or by ticket: rows vanish, the socket is told; a user that is dropped is out', async () => {
  const token = await login()
  const headers = { authorization: `Bearer ${token}` }
  const { ticket } = (await (await fetch(`${base()}/ws-ticket`, { method: 'POST', headers })).json()) as { ticket: string }
  const both = [await follow({ token }), await follow({ ticket })]
  const list = async (more = {}) => fetch(`${base()}/clusters/local/collections`, { headers: { ...headers, ...more } })
  for (const one of both) await expect.poll(one.names).toEqual(['mine', 'theirs'])
  const tag = (await list()).headers.get('etag') ?? ''
  await root.revokeRolePrivilege({ roleName: 'readers', object: RbacObjects.Collection, objectName: 'theirs', privilegeName: 'Search' })
  for (const one of both) {
    await expect.poll(one.names).toEqual(['mine'])
    expect(one.messages.filter(({ t }) => t === 'reset').map(({ reason }) => reason)).toEqual(['new', 'rights'])
  }
  const again = await list({ 'if-none-match': tag })
  expect(again.status).toBe(200)
  expect(await again.json()).toMatchObject({ total: 1, rows: [{ name: 'mine' }] })
  await root.renameCollection({ collection_name: 'theirs', new_collection_name: 'secret' })
  await root.renameCollection({ collection_name: 'mine', new_collection_name: 'still_mine' })
  for (const one of both) {
    await expect.poll(() => one.messages.flatMap(({ e = [] }) => e.map(({ type }) => type))).toContain('collection.renamed')
    expect(JSON.stringify(one.messages)).not.toContain('secret')
  }
  await root.deleteUser({ username: 'alice' })
  for (const one of both) await expect.poll(one.code).toBe(4401)
  expect((await list()).status).toBe(401)
})

test('a collection that goes is told to those who saw it, and to nobody else', async () => {
  await root.createUser({ username: 'alice', password })
  await root.addUserToRole({ username: 'alice', roleName: 'readers' })
  await root.grantRolePrivilege({ roleName: 'readers', object: RbacObjects.Collection, objectName: '*', privilegeName: 'Search' })
  await root.createCollection({ collection_name: 'passing', dimension: 4 })
  const one = await follow({ token: await login() })
  await expect.poll(one.names).toContain('passing')
  await root.dropCollection({ collection_name: 'passing' })
  await expect.poll(() => one.messages.flatMap(({ e = [] }) => e.filter(({ type }) => type === 'collection.dropped').map(({ data }) => data.name))).toEqual(['passing'])
  await root.updateUser({ username: 'alice', oldPassword: password, newPassword: `${password} too` })
  await expect.poll(one.code).toBe(4401)
})

test('over SSE a user gets events of what it may see alone, is told when its rights change, and is shown out when it is gone', async () => {
  for (const collection_name of ['bobs', 'hidden']) await root.createCollection({ collection_name, dimension: 4 })
  await root.createUser({ username: 'bob', password })
  await root.createRole({ roleName: 'ofBob' })
  await root.addUserToRole({ username: 'bob', roleName: 'ofBob' })
  const right = { roleName: 'ofBob', object: RbacObjects.Collection, objectName: 'bobs', privilegeName: 'Search' }
  await root.grantRolePrivilege(right)
  const authorization = `Bearer ${await login('bob')}`
  const stream = await fetch(`${base()}/clusters/local/events?since=0`, { headers: { authorization, accept: 'text/event-stream' } })
  expect(stream.headers.get('content-type')).toBe('text/event-stream')
  let text = ''
  let isEnded = false
  const reading = (async () => {
    for await (const chunk of stream.body as unknown as AsyncIterable<Uint8Array>) text += Buffer.from(chunk).toString()
    isEnded = true
  })()
  await expect.poll(() => text).toMatch(/event: collection\.created\ndata: .*"name":"bobs"/)
  await root.alterCollectionProperties({ collection_name: 'hidden', properties: { 'collection.ttl.seconds': 1_000_000 } })
  await root.alterCollectionProperties({ collection_name: 'bobs', properties: { 'collection.ttl.seconds': 2_000_000 } })
  await expect.poll(() => text).toContain('2000000')
  await root.revokeRolePrivilege(right)
  await root.alterCollectionProperties({ collection_name: 'bobs', properties: { 'collection.ttl.seconds': 3_000_000 } })
  await expect.poll(() => text).toMatch(/event: reset\ndata: .*"reason":"rights"/)
  const rows = async () => ((await (await fetch(`${base()}/clusters/local/collections`, { headers: { authorization } })).json()) as { rows: unknown[] }).rows
  expect(await rows()).toEqual([])
  await root.deleteUser({ username: 'bob' })
  await root.createCollection({ collection_name: 'after', dimension: 4 })
  await expect.poll(() => isEnded).toBe(true)
  await reading
  expect(text).not.toMatch(/hidden|3000000|"after"/)
  const anonymous = await fetch(`${base()}/clusters/local/events`, { headers: { accept: 'text/event-stream' } })
  expect(anonymous.status).toBe(401)
})
