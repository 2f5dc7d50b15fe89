/**
 * What the catalog keeps on the KVBase, one key per thing, below its root path. Values are JSON of `model/meta.ts`
 * (`encodeMeta`); names in keys are validated before (letters, digits, `_`), so `/` separates safely.
 *
 *     database/<name>                       DatabaseMeta
 *     collection/<collection id>            CollectionMeta
 *     alias/<database>/<alias>              AliasMeta
 *     index/<collection id>/<index id>      IndexMeta
 *     load/<collection id>                  LoadMeta
 *     segment/<collection id>/<segment id>  SegmentMeta
 *     flushed/<collection id>/<vchannel>    timestamp
 *     checkpoint/<pchannel>                 position, as the data node gave it
 *     import/<job id>                       ImportJobMeta
 *     import-part/<job id>/<number>         ImportPartMeta
 */
import type { ImportJobMeta, ImportPartMeta } from '../model/import-job.ts'
import {
  type AliasMeta,
  type CollectionMeta,
  type DatabaseMeta,
  decodeMeta,
  encodeMeta,
  type IndexMeta,
  type LoadMeta,
  type SegmentMeta,
} from '../model/meta.ts'

/** What keys of checkpoints begin with, below the catalog's own root. */
export const CHECKPOINTS = 'meta/checkpoint/'

/** A value to keep under its key, or undefined to remove it. */
export type CatalogRecord =
  | { readonly kind: 'database'; readonly name: string; readonly value: DatabaseMeta | undefined }
  | { readonly kind: 'collection'; readonly id: bigint; readonly value: CollectionMeta | undefined }
  | { readonly kind: 'alias'; readonly dbName: string; readonly alias: string; readonly value: AliasMeta | undefined }
  | { readonly kind: 'index'; readonly collectionId: bigint; readonly id: bigint; readonly value: IndexMeta | undefined }
  | { readonly kind: 'load'; readonly collectionId: bigint; readonly value: LoadMeta | undefined }
  | { readonly kind: 'segment'; readonly collectionId: bigint; readonly id: bigint; readonly value: SegmentMeta | undefined }
  | { readonly kind: 'flushed'; readonly collectionId: bigint; readonly vchannel: string; readonly value: bigint | undefined }
  | { readonly kind: 'checkpoint'; readonly pchannel: string; readonly value: string | undefined }
  | { readonly kind: 'import'; readonly id: bigint; readonly value: ImportJobMeta | undefined }
  | { readonly kind: 'import-part'; readonly jobId: bigint; readonly number: number; readonly value: ImportPartMeta | undefined }

export function recordKey(record: CatalogRecord): string {
  switch (record.kind) {
    case 'database':
      return `database/${record.name}`
    case 'collection':
      return `collection/${record.id}`
    case 'alias':
      return `alias/${record.dbName}/${record.alias}`
    case 'index':
      return `index/${record.collectionId}/${record.id}`
    case 'load':
      return `load/${record.collectionId}`
    case 'segment':
      return `segment/${record.collectionId}/${record.id}`
    case 'flushed':
      return `flushed/${record.collectionId}/${record.vchannel}`
    case 'checkpoint':
      return `checkpoint/${record.pchannel}`
    case 'import':
      return `import/${record.id}`
    case 'import-part':
      return `import-part/${record.jobId}/${record.number}`
  }
}

export function recordText(record: CatalogRecord): string | undefined {
  return record.value === undefined ? undefined : encodeMeta(record.value)
}

/** The record of a stored pair; undefined for keys of another kind (left by a newer version). */
export function parseRecord(key: string, text: string | undefined): CatalogRecord | undefined {
  const [kind, first = '', ...rest] = key.split('/')
  const second = rest.join('/')
  switch (kind) {
    case 'database':
      return { kind, name: first, value: parse<DatabaseMeta>(text) }
    case 'collection':
      return { kind, id: BigInt(first), value: parse<CollectionMeta>(text) }
    case 'alias':
      return { kind, dbName: first, alias: second, value: parse<AliasMeta>(text) }
    case 'index':
      return { kind, collectionId: BigInt(first), id: BigInt(second), value: parse<IndexMeta>(text) }
    case 'load':
      return { kind, collectionId: BigInt(first), value: parse<LoadMeta>(text) }
    case 'segment':
      return { kind, collectionId: BigInt(first), id: BigInt(second), value: parse<SegmentMeta>(text) }
    case 'flushed':
      return { kind, collectionId: BigInt(first), vchannel: second, value: parse<bigint>(text) }
    case 'checkpoint':
      return { kind, pchannel: key.slice('checkpoint/'.length), value: parse<string>(text) }
    case 'import':
      return { kind, id: BigInt(first), value: parse<ImportJobMeta>(text) }
    case 'import-part':
      return { kind, jobId: BigInt(first), number: Number(second), value: parse<ImportPartMeta>(text) }
    default:
      return undefined
  }
}

function parse<T>(text: string | undefined): T | undefined {
  return text === undefined ? undefined : decodeMeta<T>(text)
}
