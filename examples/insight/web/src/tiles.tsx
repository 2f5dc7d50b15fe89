/** Few numbers that say whether all is well. */
import { count, roughly } from './format.ts'
import { cluster, gauges, small } from './store.ts'

export function Tiles() {
  const known = cluster.value
  const lags = [...gauges.value].filter(([key]) => key.startsWith('timetick.lag')).map(([, [, value]]) => value)
  const sick = [...(small.value.get('watchdog')?.values() ?? []), ...(small.value.get('node')?.values() ?? [])].filter(({ state }) => state !== undefined && state !== 'ok' && state !== 'healthy')
  return (
    <section class="tiles" aria-label="Overview">
      <Tile name="Databases" value={count(known?.counts['database'])} />
      <Tile name="Collections" value={count(known?.counts['collection'])} />
      <Tile name="Segments" value={count(known?.counts['segment'])} />
      <Tile name="Clients" value={count(known?.counts['client'])} />
      <Tile name="Time tick lag" value={lags.length === 0 ? '–' : `${roughly(Math.max(...lags))} ms`} />
      <Tile name="Not well" value={String(sick.length)} isBad={sick.length > 0} />
    </section>
  )
}

function Tile({ name, value, isBad = false }: { readonly name: string; readonly value: string; readonly isBad?: boolean }) {
  return (
    <div class="tile" data-bad={isBad}>
      <span>{name}</span>
      <strong>{value}</strong>
    </div>
  )
}
