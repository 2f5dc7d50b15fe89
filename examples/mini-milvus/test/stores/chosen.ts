/** Lets the end-to-end tests run unchanged on servers: TIMETICK_TEST_STORES names a combination of test/stores/settings.ts. */
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import type { MiniMilvusOptions } from '../../src/index.ts'
import { combinations, newClusterName } from './settings.ts'

const chosen = combinations.find(({ name }) => name === process.env['TIMETICK_TEST_STORES'])

/** Options of a node in memory, or in a folder, as those of a cluster of its own. */
export async function onChosenStores(options: MiniMilvusOptions): Promise<MiniMilvusOptions> {
  if (chosen === undefined) return options
  const { inMemory: _inMemory, dataDir, ...rest } = options
  const folder = dataDir ?? (await mkdtemp(join(tmpdir(), 'timetick-chosen-')))
  return { ...rest, parameters: { ...chosen.parameters(dataDir === undefined ? newClusterName() : nameOf(dataDir), folder), ...rest.parameters } }
}

/** Flags for a program with a data folder: the folder stands for its cluster, also when it is started again. */
export function chosenFlags(flags: readonly string[]): string[] {
  const folder = flags[flags.indexOf('--data-dir') + 1]
  if (chosen === undefined || !flags.includes('--data-dir') || folder === undefined) return []
  return Object.entries(chosen.parameters(nameOf(folder), folder)).flatMap(([key, value]) => ['--set', `${key}=${value}`])
}

function nameOf(folder: string): string {
  return basename(folder).replaceAll(/[^A-Za-z0-9_-]/g, '_').slice(-32)
}
