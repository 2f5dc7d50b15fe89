// @ts-check
/**
 * A flow graph drawn in the terminal while it runs: how far each node is, what waits on its edges, how far it lags behind. In the middle the
 * store below becomes slow: its queue fills, and the pressure goes up to the sources.
 *
 *     node main.mjs
 *     node main.mjs | cat        # without a terminal: a frame now and then, one below the other
 */
import assert from 'node:assert/strict'
import { setTimeout as sleep } from 'node:timers/promises'
import { createNode, createTimeTickedFlowGraph, InputNode } from '@timetick/flowgraph'

/** @typedef {import('@timetick/flowgraph').Msg & { readonly rows: number }} Rows */
const TICKS = 400
const isTerminal = process.stdout.isTTY === true

/**
 * @param {number} everyTicks how often there is something
 * @param {number} rows
 */
async function* sensor(everyTicks, rows) {
  for (let tick = 0; tick < TICKS; tick++) {
    await sleep(1)
    // Ticks are hybrid timestamps: 10 ms apart, shifted by 18 bits. Where there is nothing, time moves on all the same.
    const timeTick = BigInt(1_000_000 + tick * 10) << 18n
    yield tick % everyTicks === 0 ? { timeTick, rows } : { timeTick, skipThisTick: true }
  }
}

let stored = 0
let isSlow = false
const graph = createTimeTickedFlowGraph()
graph.addNode(new InputNode('orders', sensor(1, 5), (msg) => msg))
graph.addNode(new InputNode('clicks', sensor(3, 40), (msg) => msg))
graph.addNode(createNode('filter', ([msg]) => {
  const { timeTick, rows } = /** @type {Rows} */ (msg)
  return { timeTick, rows: rows / 2 }
}))
graph.addNode(createNode('enrich', async ([msg]) => {
  await sleep(2)
  return msg
}, { maxParallelism: 8, maxQueueLength: 32 }))
graph.addNode(createNode('join', (inputs) => {
  const rows = inputs.reduce((sum, msg) => sum + (msg.skipThisTick ? 0 : /** @type {Rows} */ (msg).rows), 0)
  return { timeTick: inputs[0]?.timeTick ?? 0n, rows }
}, { maxQueueLength: 32 }))
graph.addNode(createNode('store', async ([msg]) => {
  if (isSlow) await sleep(6)
  stored += /** @type {Rows} */ (msg).rows
}, { maxQueueLength: 32 }))
graph.setEdges('orders', [], ['enrich'])
graph.setEdges('clicks', [], ['filter'])
graph.setEdges('enrich', ['orders'], ['join'])
graph.setEdges('filter', ['clicks'], ['join'])
graph.setEdges('join', ['enrich', 'filter'], ['store'])
graph.setEdges('store', ['join'], [])

/** One line for each node, from the sources down. Everything comes from `describe()`, which may be called at any time. */
function frame() {
  const { nodes } = graph.describe()
  const width = Math.max(...nodes.map(({ name }) => name.length))
  return nodes.map(({ name, kind, inputs, outputs, maxQueueLength, states }) => {
    const { completed, skipped, active, queueDepth, lagMs } = states
    const room = Math.max(1, inputs.length) * maxQueueLength
    const bar = kind === 'source' ? ' '.repeat(12) : '█'.repeat(Math.round((queueDepth / room) * 12)).padEnd(12, '░')
    const numbers = `${String(completed).padStart(4)} done ${String(skipped).padStart(4)} skipped ${String(active).padStart(2)} running ${String(lagMs).padStart(5)} ms behind`
    return `${kind === 'source' ? '○' : kind === 'sink' ? '■' : '□'} ${name.padEnd(width)} ${bar} ${numbers}  ${outputs.length > 0 ? `→ ${outputs.join(', ')}` : ''}`
  })
}

let fullest = 0
function draw() {
  const lines = frame()
  fullest = Math.max(fullest, graph.states.nodes.get('store')?.queueDepth ?? 0)
  // Up to where the frame before began, and over it.
  if (isTerminal && drawn > 0) process.stdout.write(`\x1b[${lines.length}A`)
  for (const line of lines) process.stdout.write(`${isTerminal ? '\x1b[2K' : ''}${line}\n`)
  if (!isTerminal) process.stdout.write('\n')
  drawn++
}
let drawn = 0

graph.start()
const timer = setInterval(() => {
  const done = graph.states.nodes.get('store')?.completed ?? 0
  isSlow = done > TICKS / 4 && done < TICKS / 2
  draw()
}, isTerminal ? 50 : 250)
const failure = await graph.closed
clearInterval(timer)
draw()
if (failure !== undefined) throw failure

const expected = TICKS * 5 + Math.ceil(TICKS / 3) * 20
assert.equal(stored, expected)
assert.equal(graph.states.frontier, BigInt(1_000_000 + (TICKS - 1) * 10) << 18n)
console.log(`ok: ${stored} rows stored, ${drawn} frames drawn; at most ${fullest} messages waited for the store`)
assert(fullest <= 32)
