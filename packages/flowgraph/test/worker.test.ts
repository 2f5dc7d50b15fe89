import { readFileSync } from 'node:fs'
import ts from 'typescript'
import { expect, test } from 'vitest'
import { createWorkerNode } from '../src/index.ts'
import type { Msg } from '../src/index.ts'
import { collector, graphOf, input, ticks } from './helpers.ts'

/** A worker file: the real `serveOperator`, then `body`. */
function workerFile(body: string): URL {
  const source = readFileSync(new URL('../src/worker.ts', import.meta.url), 'utf8')
  const compiled = ts.transpileModule(source, { compilerOptions: { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2023 } }).outputText
  return new URL(`data:text/javascript,${encodeURIComponent(`${compiled}\n${body}`)}`)
}

test('ticks run in threads, skips arrive, results leave in order', async () => {
  const file = workerFile(`serveOperator(async ([a, b]) => {
    await new Promise((resolve) => setTimeout(resolve, a.timeTick === 1n ? 30 : 1))
    return { timeTick: a.timeTick, value: (a.skipThisTick ? 0 : a.value) + (b.skipThisTick ? 100 : b.value) }
  })`)
  const seen: string[] = []
  const graph = graphOf(
    [input('a', ticks(1, 2, 3)), input('b', ticks(2, 4)), createWorkerNode('sum', file, { threads: 2 }), collector('out', seen)],
    [['a', 'sum'], ['b', 'sum'], ['sum', 'out']],
  )
  graph.start()
  expect(await graph.closed).toBe(undefined)
  expect(seen).toEqual(['1:101', '2:4', '3:103', '4:4'])
})

test('buffers move both ways', async () => {
  const file = workerFile(`serveOperator(([msg]) => {
    new Uint8Array(msg.bytes)[0] += 1
    return { timeTick: msg.timeTick, value: new Uint8Array(msg.bytes)[0], bytes: msg.bytes }
  }, (result) => [result.bytes])`)
  const bytes = new ArrayBuffer(8)
  const seen: string[] = []
  const transferOf = (inputs: readonly Msg[]): ArrayBuffer[] => inputs.flatMap((msg) => ('bytes' in msg ? [msg.bytes as ArrayBuffer] : []))
  const graph = graphOf(
    [input('in', [{ timeTick: 1n, bytes } as Msg]), createWorkerNode('inc', file, { transferOf }), collector('out', seen)],
    [['in', 'inc'], ['inc', 'out']],
  )
  graph.start()
  expect(await graph.closed).toBe(undefined)
  expect(seen).toEqual(['1:1'])
  expect(bytes.byteLength).toBe(0)
})

test.each([
  ['a throw', `serveOperator(() => { throw new RangeError('no') })`, 'no'],
  ['a thread that ends', 'serveOperator(() => process.exit(3))', 'the worker thread ended with code 3'],
  ['a file that fails', `throw new Error('broken')`, 'broken'],
])('%s is a failed tick', async (_, body, message) => {
  const graph = graphOf([input('in', ticks(1, 2)), createWorkerNode('bad', workerFile(body))], [['in', 'bad']])
  graph.start()
  expect(await graph.closed).toMatchObject({ code: 'FLOW_OPERATOR_FAILED', cause: { message } })
})
