/** What the node and the thread of an import say to each other. */
import type { EncodedSegment, ImportCheckpoint, ImportPlan, ImportProgress } from './plan.ts'

export type FromImport =
  | { readonly kind: 'read'; readonly seq: number; readonly file: number; readonly part: number; readonly offset: number; readonly length: number }
  | { readonly kind: 'ids'; readonly seq: number; readonly count: number }
  | { readonly kind: 'store'; readonly seq: number; readonly segment: EncodedSegment }
  | { readonly kind: 'checkpoint'; readonly seq: number; readonly checkpoint: ImportCheckpoint }
  | { readonly kind: 'progress'; readonly progress: ImportProgress }
  | { readonly kind: 'done' }
  /** `isRefusal`: the files are wrong, and will be tomorrow. */
  | { readonly kind: 'failed'; readonly message: string; readonly isRefusal: boolean }

export type ToImport = { readonly seq: number; readonly value: Uint8Array | bigint | undefined } | { readonly seq: number; readonly error: string }

export interface ImportThreadData {
  readonly plan: ImportPlan
}
