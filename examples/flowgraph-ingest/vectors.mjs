// @ts-check
/** A toy model, and an index that grows in segments. */
import { setTimeout as sleep } from 'node:timers/promises'
import { createNode } from '@timetick/flowgraph'

/** @typedef {{ id: number, text: string, vector?: number[] }} Doc */
/** @typedef {import('@timetick/flowgraph').Msg & { readonly docs: readonly Doc[] }} Docs */
const [DIMENSIONS, SEGMENT_ROWS] = [32, 50]

/** A model for toys: words fall into dimensions. A real one is a call over the network, so it is asynchronous. */
export async function embed(/** @type {string} */ text) {
  await sleep(1)
  const vector = Array.from({ length: DIMENSIONS }, () => 0)
  for (const word of text.split(' ')) {
    const hash = Buffer.from(word).reduce((sum, byte) => (sum * 31 + byte) >>> 0, 7)
    vector[hash % DIMENSIONS] = (vector[hash % DIMENSIONS] ?? 0) + 1
  }
  const length = Math.hypot(...vector)
  return vector.map((value) => value / length)
}

/** The index: rows become segments; a full one is an effect, which a checkpoint saves together with the rows that are open. */
export function createIndex() {
  /** @type {{ sealed: number, open: Doc[], seen: number }} */
  let state = { sealed: 0, open: [], seen: 0 }
  /** @type {Record<string, string>} */
  let writes = {}
  const add = (/** @type {readonly Docs[]} */ [msg]) => {
    for (const doc of msg?.docs ?? []) {
      state.seen++
      state.open.push(doc)
      if (state.open.length < SEGMENT_ROWS) continue
      writes[`index/segment/${state.sealed++}`] = JSON.stringify(state.open)
      state.open = []
    }
  }
  const snapshot = () => {
    const given = writes
    writes = {}
    return { state: JSON.stringify(state), writes: given }
  }
  return { node: createNode('index', add, { snapshot, restore: (text) => void (state = JSON.parse(text)) }), seen: () => state.seen, open: () => state.open }
}
