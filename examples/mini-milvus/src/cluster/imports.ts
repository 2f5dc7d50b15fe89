/** Import jobs of a cluster: the leader runs them, whoever is asked about one asks the leader. */
import { createFolderSource, createStorageSource } from '../bulk/import-source.edge.ts'
import { runInThread } from '../bulk/run-in-thread.edge.ts'
import type { Catalog } from '../coordinator/catalog.ts'
import { Importer, type ImportService } from '../coordinator/importer.ts'
import type { IdAllocator } from '@timetick/tso'
import type { GlobalParamsTable } from '@timetick/paramtable'
import type { NodeClock } from '../edge/system.ts'
import { RpcError } from '../internal/errors.ts'
import type { SegmentMeta } from '../model/meta.ts'
import type { ObjectStorage } from '../storage/index.ts'
import type { RemoteQueryNodes } from './remote-query-nodes.ts'

/** A call of the leader's importer by name. */
export interface ImportCall {
  readonly method: string
  readonly args: readonly unknown[]
}

/** `repeatable`: asked again, it does nothing more. */
export const IMPORT_CALLS: { readonly [Name in keyof ImportService]: 'once' | 'repeatable' } = { submit: 'once', status: 'repeatable', list: 'repeatable', abort: 'repeatable' }

export async function runImportCall(importer: ImportService, { method, args }: ImportCall): Promise<unknown> {
  if (!Object.hasOwn(IMPORT_CALLS, method)) throw new RpcError('RPC_UNKNOWN_METHOD', `the importer has no ${method.slice(0, 100)}`, { outcome: 'not-applied' })
  const run = importer[method as keyof ImportService] as (...values: readonly unknown[]) => unknown
  return run.apply(importer, [...args])
}

/** What a leader's importer needs beside the catalog of its term. */
export interface LeaderImportsOptions {
  readonly storage: ObjectStorage
  readonly ids: Pick<IdAllocator, 'alloc'>
  readonly parameters: GlobalParamsTable
  readonly clock: NodeClock
  /** Those that answer reads. */
  readonly queryNodes: () => Pick<RemoteQueryNodes, 'refresh' | 'loadProgress' | 'served'> | undefined
  readonly onProblem: (message: string, error: unknown) => void
}

export interface ImportsOfTerm {
  readonly catalog: Catalog
  /** The files of a segment have been removed, as nobody knew them for long. */
  readonly isSwept: (segmentId: bigint) => boolean
}

/** Takes up the jobs that a former leader left, each from its last checkpoint. */
export function startImports(options: LeaderImportsOptions, { catalog, isSwept }: ImportsOfTerm): Importer {
  const { storage, ids, parameters, clock, queryNodes, onProblem } = options
  const path = parameters.getString('import.path')
  return new Importer({
    meta: catalog,
    catalog: {
      addImport: (job, limit) => catalog.addImport(job, limit),
      commitImport: (id) => catalog.commitImport(id),
      removeImport: (id) => catalog.removeImport(id),
      async saveImport(id, next, segments: readonly SegmentMeta[] = []) {
        const late = segments.find((segment) => isSwept(segment.id))
        if (late !== undefined) throw new RpcError('RPC_TIMEOUT', `segment ${late.id} is reported too late: its files are gone`, { outcome: 'not-applied' })
        await catalog.saveImport(id, next, segments)
      },
    },
    storage,
    source: path === '' ? createStorageSource(storage, 'import/') : createFolderSource(path),
    run: runInThread,
    allocateIds: async (count) => (await ids.alloc(count)).first,
    sealBytes: parameters.getBytes('dataNode.sealBytes'),
    maxFileBytes: parameters.getBytes('import.maxFileBytes'),
    clock,
    concurrency: parameters.getInt('import.concurrency'),
    maxJobs: parameters.getInt('import.maxJobs'),
    maxFiles: parameters.getInt('import.maxFiles'),
    retentionMs: parameters.getDurationMs('import.retention'),
    async served(collectionId) {
      const nodes = queryNodes()
      await nodes?.refresh()
      if (nodes?.loadProgress(collectionId)?.percent !== 100) return catalog.load(collectionId) === undefined ? undefined : new Set()
      return nodes.served(collectionId)
    },
    onWarning: onProblem,
  })
}

/** Segments that are written and wait for their job's commit. */
export function isPendingImport(catalog: Catalog, segmentId: bigint): boolean {
  return catalog.imports().some(({ id }) => catalog.importParts(id).some(({ segments }) => segments.some((segment) => segment.id === segmentId)))
}
