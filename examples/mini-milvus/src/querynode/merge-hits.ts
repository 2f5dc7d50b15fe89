/** Best hits of several segments, merged per query: by score, ties by primary key, one hit per key (and element, where these are the hits). */
import { primaryKeyAt, type PrimaryKey } from '../model/primary-keys.ts'
import type { SegmentView } from './segment-view.ts'
import type { PickedRows } from './picked-rows.ts'

export interface SegmentHits {
  readonly view: Pick<SegmentView, 'keys' | 'column'>
  readonly counts: Uint32Array
  readonly rows: Uint32Array
  readonly scores: Float32Array
  /** Where hits are elements of the rows' lists: their places in these. */
  readonly elements?: Uint32Array | undefined
}

export interface MergedHits {
  readonly counts: Uint32Array
  readonly scores: Float32Array
  readonly elements: Uint32Array | undefined
  readonly picked: PickedRows
}

interface Hit {
  readonly segment: number
  readonly row: number
  readonly score: number
  /** 0 where hits are rows. */
  readonly element: number
  readonly key: PrimaryKey
}

/** L2 and the binary distances ascend; inner product and cosine descend. */
export function ascendingMetric(metric: string): boolean {
  return metric !== 'IP' && metric !== 'COSINE' && metric !== 'BM25' && !/^MAX_SIM(?:_IP|_COSINE)?$/.test(metric)
}

export function mergeHits(segments: readonly SegmentHits[], nq: number, k: number, offset: number, ascending: boolean): MergedHits {
  const counts = new Uint32Array(nq)
  const scores: number[] = []
  const viewIndexes: number[] = []
  const rows: number[] = []
  const elements: number[] = []
  const starts = new Uint32Array(segments.length)
  for (let query = 0; query < nq; query++) {
    const hits = hitsOfQuery(segments, starts, query, k, ascending).slice(offset, k)
    counts[query] = hits.length
    for (const hit of hits) {
      scores.push(hit.score)
      viewIndexes.push(hit.segment)
      rows.push(hit.row)
      elements.push(hit.element)
    }
  }
  const picked = { views: segments.map(({ view }) => view), viewIndexes: Uint32Array.from(viewIndexes), rows: Uint32Array.from(rows) }
  const ofElements = segments.some((segment) => segment.elements !== undefined)
  return { counts, scores: Float32Array.from(scores), elements: ofElements ? Uint32Array.from(elements) : undefined, picked }
}

function hitsOfQuery(segments: readonly SegmentHits[], starts: Uint32Array, query: number, k: number, ascending: boolean): Hit[] {
  const hits: Hit[] = []
  segments.forEach(({ view, counts, rows, scores, elements }, segment) => {
    const start = starts[segment] as number
    const end = start + (counts[query] as number)
    starts[segment] = end
    const { keys } = view
    for (let index = start; index < end; index++) {
      const row = rows[index] as number
      hits.push({ segment, row, score: scores[index] as number, element: elements?.[index] ?? 0, key: primaryKeyAt(keys, row) })
    }
  })
  hits.sort((a, b) => (a.score !== b.score ? (ascending ? a.score - b.score : b.score - a.score) : compareKeys(a.key, b.key) || a.element - b.element))
  const ofElements = segments.some((segment) => segment.elements !== undefined)
  const seen = new Set<PrimaryKey>()
  const best: Hit[] = []
  for (const hit of hits) {
    if (best.length === k) break
    const key = ofElements ? `${hit.key}/${hit.element}` : hit.key
    if (seen.has(key)) continue
    seen.add(key)
    best.push(hit)
  }
  return best
}

/** Int64 by value; VarChar by UTF-8 bytes, which for well-formed text is the order of code points. */
export function compareKeys(a: PrimaryKey, b: PrimaryKey): number {
  if (typeof a === 'string' && typeof b === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b))
  return a < b ? -1 : a > b ? 1 : 0
}
