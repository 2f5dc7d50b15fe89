/** The states of a watchdog as Prometheus reads them. */
import { checkInteger, checkName, checkObject } from './arguments.ts'
import type { Phase, Watchdog } from './watchdog.ts'

export interface MetricsOptions {
  /** @default 'timetick_watchdog' */
  readonly prefix?: string | undefined
  /** Components that have series of their own; of the rest only sums are told. @default 1_000 */
  readonly maxSeries?: number | undefined
}

const PHASES: readonly Phase[] = ['starting', 'up', 'waiting', 'recovering', 'gave-up']

/** Text exposition format 0.0.4. Times in seconds. */
export function renderMetrics(watchdog: Pick<Watchdog, 'states'>, options: MetricsOptions = {}): string {
  checkObject('options', options)
  const prefix = checkName('prefix', options.prefix ?? 'timetick_watchdog')
  if (!/^[a-zA-Z_:][a-zA-Z0-9_:]*$/.test(prefix)) throw new RangeError('expected `prefix` to be letters, digits, _ and :')
  const maxSeries = checkInteger('maxSeries', options.maxSeries ?? 1_000, 0, 1_000_000)
  const { components, orphanBeats, invalidBeats, stalls, handlerErrors } = watchdog.states
  const lines: string[] = []
  const family = (name: string, type: 'gauge' | 'counter', help: string, series: readonly (readonly [string, number])[]): void => {
    lines.push(`# HELP ${prefix}_${name} ${help}`, `# TYPE ${prefix}_${name} ${type}`)
    for (const [labels, value] of series) lines.push(`${prefix}_${name}${labels} ${value}`)
  }
  const all = [...components]
  family('components', 'gauge', 'Registered components by phase.', PHASES.map((phase) => [`{phase="${phase}"}`, all.filter(([, { phase: its }]) => its === phase).length]))
  const shown = all.slice(0, maxSeries).map(([id, states]) => ({ label: `{id="${escape(id)}"}`, states }))
  family('healthy', 'gauge', '1 while a component beats and says that it is healthy.', shown.map(({ label, states }) => [label, states.phase === 'up' && states.status === 'healthy' ? 1 : 0]))
  family('beats_total', 'counter', 'Beats taken.', shown.map(({ label, states }) => [label, states.beats]))
  family('restarts_total', 'counter', 'Attempts to restart.', shown.map(({ label, states }) => [label, states.restarts]))
  family('silence_seconds', 'gauge', 'Time since the last beat.', shown.flatMap(({ label, states }) => (states.silentMs === undefined ? [] : [[label, states.silentMs / 1000] as const])))
  family('orphan_beats_total', 'counter', 'Beats of unknown components.', [['', orphanBeats]])
  family('invalid_beats_total', 'counter', 'Beats that were none.', [['', invalidBeats]])
  family('stalls_total', 'counter', 'Checks that came late.', [['', stalls]])
  family('handler_errors_total', 'counter', 'Errors thrown by listeners.', [['', handlerErrors]])
  return `${lines.join('\n')}\n`
}

function escape(label: string): string {
  return label.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
