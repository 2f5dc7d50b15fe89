// @ts-check
/**
 * From a log to vectors. Documents stand in a log on two channels; a flow graph reads them in the order of time, embeds several at once, and
 * packs them into segments of an index. It crashes in the middle and goes on from its checkpoint: every document is in the index once.
 *
 *     node main.mjs
 */
import assert from 'node:assert/strict'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createKVCheckpointStore, createNode, createTimeTickedFlowGraph } from '@timetick/flowgraph'
import { MsgStreamInputNode } from '@timetick/flowgraph/msgstream'
import { openLmdbKV } from '@timetick/kv/lmdb'
import { createTsMsg, openTtMsgStream, positionFromJson, positionToJson, startTimeTickProducer } from '@timetick/msgstream'
import { openFileMq } from '@timetick/msgstream/file'
import { createIndex, embed } from './vectors.mjs'

/** @typedef {import('./vectors.mjs').Doc} Doc */
/** @typedef {import('./vectors.mjs').Docs} Docs */
const channels = ['docs-0', 'docs-1']
const TOTAL = 240
const subjects = ['a river', 'the engine', 'my garden', 'this theorem', 'her orchestra', 'old bread']

/** @param {number} id */
const textOf = (id) => `${subjects[id % subjects.length]} number ${id} seen on day ${id % 7}`

/**
 * @param {import('@timetick/msgstream').Mq} mq
 * @param {import('@timetick/kv').KVBase} kv
 */
async function ingest(mq, kv) {
  const store = createKVCheckpointStore(kv, 'index/checkpoint')
  const from = await store.load()
  // Where to read on is a part of the checkpoint too.
  let positions = JSON.parse(from?.states.get('parse') ?? '[]')
  const reader = await openTtMsgStream({ mq })
  await reader.asConsumer(channels, { from: 'earliest', positions: positions.map(positionFromJson) })
  const index = createIndex()
  const parse = (/** @type {readonly import('@timetick/flowgraph/msgstream').MsgStreamMsg[]} */ [msg]) => {
    assert(msg !== undefined)
    positions = msg.pack.endPositions.map(positionToJson)
    const docs = msg.pack.msgs.map(({ id, body }) => ({ id: Number(id), text: Buffer.from(body).toString() }))
    return docs.length > 0 ? { timeTick: msg.timeTick, docs } : undefined // nothing: a skip marker, time moves on
  }
  const embedAll = async (/** @type {readonly Docs[]} */ [msg]) => {
    assert(msg !== undefined)
    return { timeTick: msg.timeTick, docs: await Promise.all(msg.docs.map(async (doc) => ({ ...doc, vector: await embed(doc.text) }))) }
  }
  const graph = createTimeTickedFlowGraph({ checkpoints: { store, intervalMs: 1_000 } })
  graph.addNode(new MsgStreamInputNode('log', reader))
  graph.addNode(createNode('parse', parse, { snapshot: () => ({ state: JSON.stringify(positions) }) }))
  graph.addNode(createNode('embed', embedAll, { maxParallelism: 4, maxQueueLength: 16 }))
  graph.addNode(index.node)
  const names = ['log', 'parse', 'embed', 'index']
  names.forEach((name, i) => graph.setEdges(name, names.slice(0, i).slice(-1), names.slice(i + 1, i + 2)))
  graph.start({ from })
  void graph.closed.then((failure) => assert.ifError(failure))
  const seen = async (/** @type {number} */ count) => {
    while (index.seen() < count) await sleep(1)
  }
  return { graph, index, begin: index.seen(), seen }
}

let ts = BigInt(Date.now()) << 18n
/**
 * @param {import('@timetick/msgstream').Mq} mq
 * @param {number} from
 * @param {number} to
 */
async function write(mq, from, to) {
  const writer = await startTimeTickProducer({ mq, channels, allocate: async () => ++ts })
  for (let id = from; id < to; id++) {
    const channel = channels[id % 2] ?? ''
    await writer.write(() => [{ channel, msgs: [createTsMsg({ type: 400, id: BigInt(id), body: Buffer.from(textOf(id)) })] }], [channel])
  }
  await writer.close() // leaves a time tick behind them
}

const folder = await mkdtemp(join(tmpdir(), 'ingest-'))
const mq = await openFileMq({ path: join(folder, 'log') })
const kv = await openLmdbKV({ path: join(folder, 'kv') })
try {
  await write(mq, 0, 100)
  const first = await ingest(mq, kv)
  await first.seen(100)
  await first.graph.checkpoint()
  await write(mq, 100, 150)
  await first.seen(150)
  await first.graph.close({ drain: false }) // as a crash does: what is in memory is gone
  await write(mq, 150, TOTAL)

  const second = await ingest(mq, kv)
  await second.seen(TOTAL)
  await second.graph.close() // drains, and saves a last checkpoint
  console.log(`150 documents read, then a crash; went on behind the ${second.begin} of the checkpoint, ${second.index.seen()} in the end`)

  const { values } = await kv.loadWithPrefix('index/segment/')
  /** @type {Doc[]} */
  const rows = [...values.flatMap((text) => JSON.parse(text)), ...second.index.open()]
  assert.deepEqual(rows.map(({ id }) => id).sort((a, b) => a - b), Array.from({ length: TOTAL }, (_, id) => id), 'a document is missing, or there twice')
  const query = await embed(textOf(77))
  const score = (/** @type {Doc} */ { vector = [] }) => vector.reduce((sum, value, i) => sum + value * (query[i] ?? 0), 0)
  const [best] = rows.sort((a, b) => score(b) - score(a))
  assert(best !== undefined && score(best) > 0.99)
  console.log(`"${textOf(77)}" finds "${best.text}"`)
  console.log(`ok: ${values.length} segments and ${second.index.open().length} open rows, each document once`)
} finally {
  await mq.close()
  await kv.close()
  await rm(folder, { recursive: true, force: true })
}
