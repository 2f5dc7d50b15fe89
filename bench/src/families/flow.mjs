/** The flow graph. A message here is one row of a pack: a graph pays per pack and hop. */
import { load } from '../measure.mjs'

const NODES = 4

async function runChain({ createTimeTickedFlowGraph, InputNode, createNode }, packs, size) {
  const graph = createTimeTickedFlowGraph()
  const payload = new Array(size).fill(1)
  function* source() {
    for (let i = 1; i <= packs; i += 1) yield i
  }
  graph.addNode(new InputNode('in', source(), (i) => ({ timeTick: BigInt(i), rows: payload })))
  const names = ['in', ...Array.from({ length: NODES }, (_, i) => `n${i}`)]
  let seen = 0
  for (let i = 0; i < NODES; i += 1) {
    const isLast = i === NODES - 1
    graph.addNode(createNode(`n${i}`, ([msg]) => {
      if (isLast) seen += msg.rows.length
      return isLast ? undefined : { timeTick: msg.timeTick, rows: msg.rows }
    }))
  }
  names.forEach((name, i) => graph.setEdges(name, i === 0 ? [] : [names[i - 1]], i === names.length - 1 ? [] : [names[i + 1]]))
  const begin = performance.now()
  graph.start()
  const error = await graph.closed
  const ms = performance.now() - begin
  if (error !== undefined) throw error
  if (seen !== packs * size) throw new Error(`${seen} rows arrived of ${packs * size}`)
  return (ms * 1e6) / (packs * size * NODES)
}

/** The peer that needs nothing: async generators, pack by pack. */
async function generatorChain(packs, size) {
  const payload = new Array(size).fill(1)
  async function* source() {
    for (let i = 1; i <= packs; i += 1) yield { timeTick: BigInt(i), rows: payload }
  }
  async function* hop(input) {
    for await (const msg of input) yield { timeTick: msg.timeTick, rows: msg.rows }
  }
  let stream = source()
  for (let i = 0; i < NODES - 1; i += 1) stream = hop(stream)
  let seen = 0
  const begin = performance.now()
  for await (const msg of stream) seen += msg.rows.length
  const ms = performance.now() - begin
  if (seen !== packs * size) throw new Error('rows are missing')
  return (ms * 1e6) / (packs * size * NODES)
}

export const rows = [
  {
    id: 'flow.chain', work: '4 sync nodes, packs of 256: per message and hop', unit: 'ns', reference: 'async generators', goal: { op: '<=', value: 15, of: 'value', moonshot: 9 },
    open: () => load('@timetick/flowgraph'),
    measure: (api) => runChain(api, 20_000, 256),
    measureReference: () => generatorChain(20_000, 256),
  },
  {
    id: 'flow.single', work: '4 sync nodes, one message a pack: per message and hop', unit: 'ns', reference: 'async generators', goal: { op: '<=', value: 150, of: 'value' },
    open: () => load('@timetick/flowgraph'),
    measure: (api) => runChain(api, 50_000, 1),
    measureReference: () => generatorChain(50_000, 1),
  },
]
