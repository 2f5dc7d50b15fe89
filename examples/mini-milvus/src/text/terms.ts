/** Texts as rows of term counts: what a BM25 function keeps in its sparse field, by the hash that Milvus uses. */
import { crc32 } from 'node:zlib'
import type { SparseColumn, StringColumn } from '../model/column.ts'
import { isNull, textAt } from '../model/column.ts'
import { DataType } from '../model/schema.ts'
import type { Analyzer } from './token.ts'

const MAX_DIMENSION = 0xffff_ffff

/** The dimension of a word: its CRC-32, below 2^32 - 1. */
export function termHash(word: string): number {
  const hash = crc32(word)
  return hash === MAX_DIMENSION ? hash - 1 : hash
}

/** Dimensions ascend, each once, with how often the text has it. */
export function termCounts(analyzer: Analyzer, text: string): [dimension: number, count: number][] {
  const counts = new Map<number, number>()
  for (const { text: word } of analyzer.analyze(text)) {
    const dimension = termHash(word)
    counts.set(dimension, (counts.get(dimension) ?? 0) + 1)
  }
  return [...counts].sort((a, b) => a[0] - b[0])
}

export function termColumn(analyzer: Analyzer, texts: readonly string[]): SparseColumn {
  const rows = texts.map((text) => termCounts(analyzer, text))
  const offsets = new Uint32Array(texts.length + 1)
  rows.forEach((row, i) => (offsets[i + 1] = (offsets[i] as number) + row.length * 8))
  const data = new Uint8Array(offsets[texts.length] as number)
  const dimensions = new Uint32Array(data.buffer)
  const values = new Float32Array(data.buffer)
  let word = 0
  for (const row of rows) {
    for (const [dimension, count] of row) {
      dimensions[word] = dimension
      values[word + 1] = count
      word += 2
    }
  }
  return { kind: 'sparse', type: DataType.SparseFloatVector, valid: undefined, length: texts.length, offsets, data }
}

/** Of the rows [begin, end); nulls have no words. */
export function textsOf(column: StringColumn, begin: number, end: number): string[] {
  return Array.from({ length: end - begin }, (_, i) => (isNull(column, begin + i) ? '' : textAt(column, begin + i)))
}
