/** What importers have in common, wherever they run. */
import type { GlobalParamsTable } from '@timetick/paramtable'
import type { IdAllocator } from '@timetick/tso'
import { createFolderSource, createStorageSource } from '../bulk/import-source.edge.ts'
import { runInThread } from '../bulk/run-in-thread.edge.ts'
import type { NodeClock } from '../edge/system.ts'
import type { ObjectStorage } from '../storage/index.ts'
import type { Catalog } from './catalog.ts'
import type { ImporterOptions } from './importer.ts'

export interface ImportSettingsOptions {
  readonly storage: ObjectStorage
  readonly ids: Pick<IdAllocator, 'alloc'>
  readonly parameters: GlobalParamsTable
  readonly clock: NodeClock
}

export function importSettings({ storage, ids, parameters, clock }: ImportSettingsOptions): Omit<ImporterOptions, 'meta' | 'catalog' | 'served' | 'onWarning'> {
  const path = parameters.getString('import.path')
  return {
    storage,
    clock,
    source: path === '' ? createStorageSource(storage, 'import/') : createFolderSource(path),
    run: runInThread,
    allocateIds: async (count) => (await ids.alloc(count)).first,
    sealBytes: parameters.getBytes('dataNode.sealBytes'),
    maxFileBytes: parameters.getBytes('import.maxFileBytes'),
    concurrency: parameters.getInt('import.concurrency'),
    maxJobs: parameters.getInt('import.maxJobs'),
    maxFiles: parameters.getInt('import.maxFiles'),
    retentionMs: parameters.getDurationMs('import.retention'),
  }
}

/** Segments of imports that are written and wait for their job's end, as of now. */
export function pendingImports(catalog: Pick<Catalog, 'imports' | 'importParts'>): ReadonlySet<bigint> {
  return new Set(catalog.imports().flatMap(({ id }) => catalog.importParts(id).flatMap(({ segments }) => segments.map((segment) => segment.id))))
}
