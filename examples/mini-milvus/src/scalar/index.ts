export { type IndexedColumn, isIndexedColumn } from './column.ts'
export { readSortedFile, type SortedFile, writeSortedFile } from './sorted-file.ts'
export { type Ranges, SortedIndex } from './sorted-index.ts'
export type { Int64Span, NumberSpan, Spans, TextSpan } from './spans.ts'
