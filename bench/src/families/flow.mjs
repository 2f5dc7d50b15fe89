/** The flow graph. A message here is one row of a pack: a graph pays per pack and hop. */
import { load, Skip } from '../measure.mjs'

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

/** `in -> a -> (b, c) -> join`: four nodes, one of them a join. */
async function runDiamond({ createTimeTickedFlowGraph, InputNode, createNode }, packs, size) {
  const graph = createTimeTickedFlowGraph()
  const payload = new Array(size).fill(1)
  function* source() {
    for (let i = 1; i <= packs; i += 1) yield i
  }
  let seen = 0
  const pass = ([msg]) => ({ timeTick: msg.timeTick, rows: msg.rows })
  graph.addNode(new InputNode('in', source(), (i) => ({ timeTick: BigInt(i), rows: payload })))
  for (const name of ['a', 'b', 'c']) graph.addNode(createNode(name, pass))
  graph.addNode(createNode('join', ([left, right]) => {
    seen += (left.rows.length + right.rows.length) / 2
  }))
  graph.setEdges('in', [], ['a'])
  graph.setEdges('a', ['in'], ['b', 'c'])
  for (const name of ['b', 'c']) graph.setEdges(name, ['a'], ['join'])
  graph.setEdges('join', ['b', 'c'], [])
  const begin = performance.now()
  graph.start()
  const error = await graph.closed
  const ms = performance.now() - begin
  if (error !== undefined) throw error
  if (seen !== packs * size) throw new Error(`${seen} rows arrived of ${packs * size}`)
  return (ms * 1e6) / (packs * size * NODES)
}

/** Share of a core, in percent, that graphs with nothing but ticks take: a timer each, an async source, four nodes. */
async function runIdle({ createTimeTickedFlowGraph, createNode, InputNode, SkipTickMsg }, graphs, seconds) {
  const running = Array.from({ length: graphs }, (_, n) => {
    const source = async function* (signal) {
      let wake
      const timer = setInterval(() => wake?.(), 200)
      signal.addEventListener('abort', () => wake?.())
      try {
        for (let tick = 1n; !signal.aborted; tick += 1n) {
          await new Promise((resolve) => {
            wake = resolve
          })
          yield tick
        }
      } finally {
        clearInterval(timer)
      }
    }
    const graph = createTimeTickedFlowGraph()
    graph.addNode(new InputNode('in', source, (tick) => new SkipTickMsg(tick)))
    const names = ['in', 'a', 'b', 'c', 'd']
    for (const name of names.slice(1)) graph.addNode(createNode(name, ([msg]) => msg))
    names.forEach((name, i) => graph.setEdges(name, names.slice(0, i).slice(-1), names.slice(i + 1, i + 2)))
    return { graph, startAfterMs: (n * 200) / graphs }
  })
  await Promise.all(running.map(({ graph, startAfterMs }) => new Promise((resolve) => setTimeout(() => resolve(graph.start()), startAfterMs))))
  const before = process.cpuUsage()
  const begin = performance.now()
  const from = running[0].graph.states.frontier
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000))
  const { user, system } = process.cpuUsage(before)
  const ms = performance.now() - begin
  const passed = Number(running[0].graph.states.frontier - from)
  if (passed < seconds * 4) throw new Error(`only ${passed} ticks passed in ${seconds} s`)
  await Promise.all(running.map(({ graph }) => graph.close({ drain: false })))
  return (user + system) / ms / 10
}

/** Each peer does a chain's work: a new object for each hop, queues with backpressure where it has any. Gives ns per message and hop. */
const peers = {
  generators: { name: 'async generators', open: () => generatorChain },
  streams: {
    name: 'Node streams, object mode',
    async open() {
      const { Readable, Transform, Writable } = await import('node:stream')
      const { pipeline } = await import('node:stream/promises')
      return (packs, size) => timed(packs, size, async (source, count) => {
        const hop = () => new Transform({
          objectMode: true,
          highWaterMark: 1024,
          transform(msg, _, done) {
            done(null, { timeTick: msg.timeTick, rows: msg.rows })
          },
        })
        const sink = new Writable({
          objectMode: true,
          highWaterMark: 1024,
          write(msg, _, done) {
            count(msg)
            done()
          },
        })
        await pipeline(Readable.from(source(), { highWaterMark: 1024 }), hop(), hop(), hop(), sink)
      })
    },
  },
  rxjs: {
    name: 'RxJS, no queues, no backpressure',
    async open() {
      const { from, lastValueFrom, map } = await load('rxjs')
      const hop = map((msg) => ({ timeTick: msg.timeTick, rows: msg.rows }))
      return (packs, size) => timed(packs, size, (source, count) => lastValueFrom(from(source()).pipe(hop, hop, hop, map(count))))
    },
  },
  effect: {
    name: 'Effect streams with a buffer at each hop',
    async open() {
      const { Effect, Stream } = await load('effect')
      const hop = (stream) => stream.pipe(Stream.map((msg) => ({ timeTick: msg.timeTick, rows: msg.rows })), Stream.buffer({ capacity: 1024 }))
      return (packs, size) => timed(packs, size, (source, count) => {
        const stream = hop(hop(hop(Stream.fromIterable({ [Symbol.iterator]: source }))))
        return Effect.runPromise(Stream.runForEach(stream, (msg) => Effect.sync(() => count(msg))))
      })
    },
  },
  go: { name: 'Go channels, a goroutine for each node', open: () => goChain() },
  milvus: {
    name: "Milvus's flow graph in Go",
    open() {
      throw new Skip('Milvus keeps its flow graph below internal/, which Go lets no other module import')
    },
  },
}

async function timed(packs, size, work) {
  const payload = new Array(size).fill(1)
  function* source() {
    for (let i = 1; i <= packs; i += 1) yield { timeTick: BigInt(i), rows: payload }
  }
  let seen = 0
  const begin = performance.now()
  await work(source, (msg) => {
    seen += msg.rows.length
  })
  const ms = performance.now() - begin
  if (seen !== packs * size) throw new Error('rows are missing')
  return (ms * 1e6) / (packs * size * NODES)
}

const goProgram = `package main

import (
	"fmt"
	"os"
	"strconv"
	"time"
)

type msg struct {
	timeTick uint64
	rows     []int
}

func main() {
	packs, _ := strconv.Atoi(os.Args[1])
	size, _ := strconv.Atoi(os.Args[2])
	payload := make([]int, size)
	begin := time.Now()
	stream := make(chan *msg, 1024)
	go func(out chan *msg) {
		for i := 1; i <= packs; i++ {
			out <- &msg{uint64(i), payload}
		}
		close(out)
	}(stream)
	for i := 0; i < 3; i++ {
		out := make(chan *msg, 1024)
		go func(in, out chan *msg) {
			for m := range in {
				out <- &msg{m.timeTick, m.rows}
			}
			close(out)
		}(stream, out)
		stream = out
	}
	seen := 0
	for m := range stream {
		seen += len(m.rows)
	}
	if seen != packs*size {
		panic("rows are missing")
	}
	fmt.Println(float64(time.Since(begin).Nanoseconds()) / float64(packs*size*4))
}
`

async function goChain() {
  const { execFile } = await import('node:child_process')
  const { promisify } = await import('node:util')
  const { mkdtemp, writeFile } = await import('node:fs/promises')
  const { tmpdir } = await import('node:os')
  const path = await import('node:path')
  const run = promisify(execFile)
  const folder = await mkdtemp(path.join(tmpdir(), 'flow-go-'))
  const [file, binary] = [path.join(folder, 'chain.go'), path.join(folder, 'chain')]
  await writeFile(file, goProgram)
  try {
    await run('go', ['build', '-o', binary, file])
  } catch (error) {
    throw new Skip(`no Go here (${error.message.split('\n')[0]})`)
  }
  return async (packs, size) => Number((await run(binary, [String(packs), String(size)])).stdout)
}

const chains = [
  { id: 'flow.chain', work: '4 sync nodes, packs of 256', packs: 20_000, size: 256, goal: { op: '<=', value: 15, of: 'value', moonshot: 9 } },
  { id: 'flow.single', work: '4 sync nodes, one message a pack', packs: 50_000, size: 1, goal: { op: '<=', value: 150, of: 'value' } },
]

export const rows = [
  ...chains.map(({ id, work, packs, size, goal }) => ({
    id, work: `${work}: per message and hop`, unit: 'ns', reference: 'async generators', goal,
    open: () => load('@timetick/flowgraph'),
    measure: (api) => runChain(api, packs, size),
    measureReference: () => generatorChain(packs, size),
  })),
  {
    id: 'flow.diamond', work: '4 sync nodes, one of them a join, one message a pack: per message and node', unit: 'ns', reference: 'flow.single', goal: { op: '<=', value: 2 },
    open: () => load('@timetick/flowgraph'),
    measure: (api) => runDiamond(api, 50_000, 1),
    measureReference: (api) => runChain(api, 50_000, 1),
  },
  {
    id: 'flow.idle', work: '1,000 graphs of 5 nodes at 5 ticks/s', unit: '% of a core', goal: { op: '<=', value: 15, moonshot: 5 },
    open: () => load('@timetick/flowgraph'),
    measure: (api) => runIdle(api, 1_000, 3),
  },
  ...chains.flatMap(({ id, work, packs, size }) => Object.entries(peers).map(([key, { name, open }]) => ({
    id: `${id}.vs-${key}`, work: `${work}: ours to theirs`, unit: 'ns', reference: name, goal: { op: '<', value: 1 },
    open: async () => ({ api: await load('@timetick/flowgraph'), peer: await open() }),
    measure: ({ api }) => runChain(api, packs, size),
    measureReference: ({ peer }) => peer(packs, size),
  }))),
]
