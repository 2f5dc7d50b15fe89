// @ts-check
/**
 * Orders and payments are two streams with their own pace. A flow graph joins them by time: an order that was paid within three minutes
 * ships, one that was not gets a reminder, and it does not matter which stream is read faster.
 *
 *     node main.mjs
 */
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { BaseNode, createNode, createTimeTickedFlowGraph, InputNode } from '@timetick/flowgraph'

/**
 * What happened up to `timeTick`, here a minute of the day. One message is a pack: any number of rows.
 * @typedef {import('@timetick/flowgraph').Msg & { readonly rows: readonly number[] }} Pack
 */
const DUE_AFTER = 3n

/** @type {[minute: bigint, orders: number[]][]} */
const orders = [[1n, [101, 102]], [2n, [103]], [4n, [104]], [5n, []], [8n, []]]
/** @type {[minute: bigint, orders: number[]][]} */
const payments = [[1n, [101]], [3n, [103]], [6n, [102]], [7n, [104]], [8n, []]]

/**
 * A stream that comes slowly, or not so slowly.
 * @template T
 * @param {readonly T[]} items
 * @param {number} everyMs
 */
async function* arriving(items, everyMs) {
  for (const item of items) {
    await sleep(everyMs)
    yield item
  }
}

/** @type {(item: [bigint, number[]]) => Pack} */
const toPack = ([timeTick, rows]) => ({ timeTick, rows })

/** The join keeps what is open. Its two inputs are always of the same minute; one that has nothing is there as a skip marker. */
class MatchPayments extends BaseNode {
  /** @type {Map<number, bigint>} order to the minute until which it waits */
  #open = new Map()

  /**
   * @override
   * @param {readonly import('@timetick/flowgraph').Msg[]} inputs
   */
  operate(inputs) {
    const [placed, paid] = /** @type {Pack[]} */ (inputs)
    assert(placed !== undefined && paid !== undefined)
    const { timeTick } = placed
    if (!placed.skipThisTick) for (const order of placed.rows) this.#open.set(order, timeTick + DUE_AFTER)
    const matched = paid.skipThisTick ? [] : paid.rows.filter((order) => this.#open.delete(order))
    const overdue = [...this.#open].filter(([, due]) => timeTick >= due).map(([order]) => order)
    for (const order of overdue) this.#open.delete(order)
    // One element for each downstream, in the order of setEdges. Nothing: a skip marker goes there, so that time moves on.
    const pack = (/** @type {number[]} */ rows) => (rows.length > 0 ? { timeTick, rows } : undefined)
    return [pack(matched), pack(overdue)]
  }
}

/**
 * @param {number} ordersEveryMs
 * @param {number} paymentsEveryMs
 */
async function run(ordersEveryMs, paymentsEveryMs) {
  /** @type {string[]} */
  const log = []
  const sink = (/** @type {string} */ name) =>
    createNode(name, ([msg]) => {
      const { timeTick, rows } = /** @type {Pack} */ (msg)
      log.push(`minute ${timeTick}: ${name} ${rows.join(', ')}`)
    })
  const graph = createTimeTickedFlowGraph()
  graph.addNode(new InputNode('orders', arriving(orders, ordersEveryMs), toPack))
  graph.addNode(new InputNode('payments', arriving(payments, paymentsEveryMs), toPack))
  graph.addNode(new MatchPayments('match'))
  graph.addNode(sink('ship'))
  graph.addNode(sink('remind'))
  graph.setEdges('orders', [], ['match'])
  graph.setEdges('payments', [], ['match'])
  graph.setEdges('match', ['orders', 'payments'], ['ship', 'remind'])
  graph.setEdges('ship', ['match'], [])
  graph.setEdges('remind', ['match'], [])
  graph.start()
  const failure = await graph.closed // never rejects: it tells why the graph ended
  if (failure !== undefined) throw failure
  return { log: log.sort(), drawing: graph.describe().mermaid }
}

const { log, drawing } = await run(1, 5)
console.log(`${drawing}\n\n${log.join('\n')}`)
assert.deepEqual(log, ['minute 1: ship 101', 'minute 3: ship 103', 'minute 4: remind 102', 'minute 7: ship 104'])

const other = await run(5, 1)
assert.deepEqual(other, { log, drawing })
console.log('ok: the same, whichever stream is faster')
