/** Import jobs of a cluster: the leader runs them, whoever is asked about one asks the leader. */
import type { Catalog } from '../coordinator/catalog.ts'
import { importSettings, type ImportSettingsOptions } from '../coordinator/import-settings.ts'
import { Importer, type ImportService } from '../coordinator/importer.ts'
import { RpcError } from '../internal/errors.ts'
import type { SegmentMeta } from '../model/meta.ts'
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
export interface LeaderImportsOptions extends ImportSettingsOptions {
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
  const { queryNodes, onProblem } = options
  return new Importer({
    ...importSettings(options),
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
    async served(collectionId) {
      const nodes = queryNodes()
      await nodes?.refresh()
      if (nodes?.loadProgress(collectionId)?.percent !== 100) return catalog.load(collectionId) === undefined ? undefined : new Set()
      return nodes.served(collectionId)
    },
    onWarning: onProblem,
  })
}
