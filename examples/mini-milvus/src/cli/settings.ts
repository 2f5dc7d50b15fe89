/** From flags, environment and file to the table of parameters. */
import type { GlobalParamsTable } from '@timetick/paramtable'
import { createParameters } from '../node/parameters.ts'
import type { StartFlags } from './program.ts'

/** Behind every key. */
export const END = '\u{10ffff}'

/** Throws the table's own errors, which name key, source and what was expected. */
export async function readSettings(flags: StartFlags, environment: Readonly<Record<string, string | undefined>>): Promise<GlobalParamsTable> {
  const table = createParameters(environment)
  if (flags.config !== undefined) await table.loadYaml(flags.config)
  const named: readonly (readonly [string, string | undefined, string])[] = [
    ['proxy.port', flags.port, '--port'],
    ['proxy.host', flags.host, '--host'],
    ['localStorage.path', flags.dataDir, '--data-dir'],
    ['common.inMemory', flags.inMemory === true ? 'true' : undefined, '--in-memory'],
    ['metrics.port', flags.metricsPort, '--metrics-port'],
    ['cluster.roles', flags.role === undefined || flags.role.length === 0 ? undefined : flags.role.join(','), '--role'],
    ['log.format', flags.logFormat, '--log-format'],
    ['log.level', flags.logLevel ?? (flags.quiet === true ? 'error' : undefined), '--log-level'],
  ]
  const entries = [
    ...(flags.set ?? []).map(([key, value]) => [key, value, '--set'] as const),
    ...named.flatMap(([key, value, source]) => (value === undefined ? [] : [[key, value, source] as const])),
  ]
  table.setLayer({ kind: 'flags', name: 'command line', entries })
  return table
}

export class SettingsError extends Error {
  override readonly name = 'SettingsError'
}

/** One line per parameter: value and source. */
export function listText(table: GlobalParamsTable): string {
  const explained = table.loadRange('', END).keys.map((key) => table.explain(key))
  const names = explained.map(({ key, declaration }) => declaration?.key ?? key)
  const width = Math.max(...names.map((name) => name.length))
  return explained.map(({ value, source }, index) => `${(names[index] ?? '').padEnd(width)}  ${value ?? ''}  (${source ?? 'unset'})`).join('\n')
}

/** Everything that is known about one parameter. */
export function explainText(table: GlobalParamsTable, key: string): string {
  const { value, source, overrides, declaration } = table.explain(key)
  if (declaration === undefined) table.load(key)
  return [
    `${key} = ${value ?? '(not set)'}  from ${source ?? 'nowhere'}`,
    ...overrides.map((other) => `  overrides ${other.value ?? '(hidden)'} from ${other.source}`),
    declaration?.doc === undefined ? undefined : `  ${declaration.doc}`,
  ]
    .filter((line) => line !== undefined)
    .join('\n')
}
